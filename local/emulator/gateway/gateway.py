"""The one endpoint: tells what each request is, applies faults and the caller's permissions, and hands it on."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local.emulator.cloudformation.stack_api import OperationUnknown, StackMissing, StackRecord
from local.emulator.gateway.calls import Call, identify
from local.emulator.gateway.faults import TIMEOUT, Faults
from local.emulator.gateway.http_server import Request, Response
from local.emulator.gateway.moto_services import MockServices
from local.emulator.iam.evaluation import Denial, Role, authorize, authorize_missing, denied_by_resource
from local.emulator.iam.identities import Identities
from local.emulator.lambda_ import api
from local.emulator.lambda_.runner import LambdaRunner
from local.emulator.mailbox import Mailbox
from local.emulator.rekognition import Engine, ObjectNotReadable
from local.emulator.rekognition.wire import respond as rekognition_respond

log = logging.getLogger(__name__)

ACCOUNT_ROOT = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root"
JSON = [("Content-Type", "application/json")]


class Gateway:
    """An application for HttpServer. `health` gives the body of /_local/health; the rest are the stack's parts."""

    def __init__(
        self,
        mock: MockServices,
        identities: Identities,
        faults: Faults,
        mailbox: Mailbox,
        engine: Engine,
        health: Callable[[], tuple[int, dict[str, Any]]],
        region: str,
    ) -> None:
        self._mock = mock
        self._identities = identities
        self._faults = faults
        self._mailbox = mailbox
        self._engine = engine
        self._health = health
        self._region = region
        self._runner: LambdaRunner | None = None
        self._record: StackRecord | None = None

    def attach(self, runner: LambdaRunner, record: StackRecord) -> None:
        """From now on functions can be invoked and the stack described."""
        self._runner = runner
        self._record = record

    def __call__(self, request: Request) -> Response:
        if request.target.startswith("/_local/"):
            return self._local(request)
        call = identify(
            request.method, request.headers.get("host", ""), request.path, request.query, request.headers, request.body
        )
        response = self._served(request, call)
        if self._runner and (trace := request.headers.get("x-amzn-trace-id")):
            self._runner.crashes.answered(trace, f"{call.service}:{call.operation}")
        return response

    def _served(self, request: Request, call: Call) -> Response:
        role = self._identities.role_of(call.access_key)
        if not (call.service == "lambda" and call.operation == "Invoke"):  # the runner asks for those itself
            caller = role.session if role else ""
            fault = self._faults.match(call.service, call.operation, *call.resources, caller, body=request.body)
            if fault is not None:
                time.sleep(fault.delay_seconds)
                if fault.code != TIMEOUT:
                    return api.error(call, fault.code, fault.message, fault.status)
        if denial := self._denial(call, role):
            log.warning("%s", denial.message)
            return api.error(call, denial.code, denial.message, denial.status)
        if call.service == "s3" and call.access_key is None and call.actions:
            return api.error(call, "AccessDenied", "Access Denied", 403)
        return self._answer(request, call, role)

    def _denial(self, call: Call, role: Role | None) -> Denial | None:
        denial = authorize(call, role) if role else None
        if denial is None and (policy := self._resource_policy(call)):
            denial = denied_by_resource(call, policy, role.arn if role else ACCOUNT_ROOT)
        return denial

    def _resource_policy(self, call: Call) -> str | None:
        """The policy of the bucket, queue or topic that the call is about."""
        if not call.actions:
            return None
        resource = call.actions[0][1]
        if call.service == "s3":
            name = resource.removeprefix("arn:aws:s3:::").split("/", 1)[0]
            bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)
            policy = bucket.policy if bucket else None
            return policy.decode() if isinstance(policy, bytes) else policy
        if call.service == "sqs":
            queue = sqs_backends[DEFAULT_ACCOUNT_ID][self._region].queues.get(resource.rsplit(":", 1)[-1])
            return queue.policy if queue else None
        if call.service == "sns":
            topic = sns_backends[DEFAULT_ACCOUNT_ID][self._region].topics.get(resource)
            return topic.policy if topic else None
        return None

    def _answer(self, request: Request, call: Call, role: Role | None) -> Response:
        if call.service == "lambda" and call.operation == "Invoke" and self._runner:
            name = unquote(request.path.split("/")[3])
            return api.invoke(request, call, self._runner, name)
        if call.service == "rekognition":
            target = request.headers.get("x-amz-target")
            status, headers, body = rekognition_respond(self._engine, target, request.body, self._object)
            return Response(status, list(headers.items()), body)
        if call.service == "cloudformation" and self._record:
            return self._describe_stack(request, call, self._record)
        response = self._mock.handle(request, call.service)
        if role is not None and call.when_missing and response.status == 404 and (d := authorize_missing(call, role)):
            return api.error(call, d.code, d.message, d.status)
        return response

    @staticmethod
    def _describe_stack(request: Request, call: Call, record: StackRecord) -> Response:
        try:
            return Response(*record.handle(request.body.decode() or request.query))
        except StackMissing as error:
            return api.error(call, "ValidationError", str(error), 400)
        except OperationUnknown as error:
            message = f"The local stack doesn't offer {error}: it is deployed from template.yaml when it starts."
            return api.error(call, "InvalidAction", message, 400)

    @staticmethod
    def _object(bucket: str, key: str, version: str | None) -> bytes:
        """Rekognition reads the object as the caller, whose permission was checked with the call."""
        store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        found = store.get_object(bucket, key, version_id=version) if bucket in store.buckets else None
        if found is None:
            raise ObjectNotReadable("The object doesn't exist.")
        return bytes(found.value)

    def _local(self, request: Request) -> Response:
        match request.path:
            case "/_local/health":
                status, body = self._health()
            case "/_local/mailbox":
                status, body = 200, self._mailbox.list()  # type: ignore[assignment]
            case "/_local/faults":
                status, body = self._faults.handle(request.method, request.body)
            case _:
                status, body = 404, {"error": f"{request.path} isn't one of health, mailbox, faults"}
        return Response(status, JSON, json.dumps(body, indent=2).encode() + b"\n")
