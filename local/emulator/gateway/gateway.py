"""The endpoint's application: identifies each request, applies faults and permissions, and passes it to a service."""

from __future__ import annotations

import errno
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local.emulator.cloudformation.stack_api import OperationUnknown, StackApi, StackMissing
from local.emulator.cognito import cors as cognito_cors
from local.emulator.cognito.api import UserPools
from local.emulator.gateway.call import Call
from local.emulator.gateway.faults import TIMEOUT, Faults
from local.emulator.gateway.http_server import Request, Response
from local.emulator.gateway.identification import identify
from local.emulator.gateway.moto_services import MotoServices
from local.emulator.gateway.s3_calls import bucket_and_key
from local.emulator.gateway.wire_errors import error_response
from local.emulator.http_api import service as http_api
from local.emulator.http_api.service import HttpApis
from local.emulator.iam.evaluation import Denial, Role, authorize, authorize_missing, denied_by_resource
from local.emulator.iam.identities import Identities
from local.emulator.lambda_ import api as lambda_api
from local.emulator.lambda_.runner import LambdaRunner
from local.emulator.mailbox import Mailbox
from local.emulator.rekognition import Engine, ObjectNotReadable
from local.emulator.rekognition.wire import respond as rekognition_respond
from local.emulator.s3 import cors as s3_cors
from local.emulator.s3 import presigned
from tools.sam_template import ACCOUNT_ID

log = logging.getLogger(__name__)

ACCOUNT_ROOT = f"arn:aws:iam::{ACCOUNT_ID}:root"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
JSON = [("Content-Type", "application/json")]


class Gateway:
    """An application for HttpServer. `health` returns status and document of /_local/health.

    `page` returns the address of the page that a browser is sent to, or None.
    """

    def __init__(
        self,
        services: MotoServices,
        identities: Identities,
        faults: Faults,
        mailbox: Mailbox,
        engine: Engine,
        health: Callable[[], tuple[int, dict[str, Any]]],
        page: Callable[[], str | None],
        region: str,
    ) -> None:
        self._page = page
        self._services = services
        self._identities = identities
        self._faults = faults
        self._mailbox = mailbox
        self._engine = engine
        self._health = health
        self._region = region
        self._runner: LambdaRunner | None = None
        self._stack_api: StackApi | None = None
        self._user_pools: UserPools | None = None
        self._apis: HttpApis | None = None

    def attach(self, runner: LambdaRunner, stack_api: StackApi, user_pools: UserPools, apis: HttpApis) -> None:
        """Add the services that need the deployment: Lambda's Invoke, CloudFormation, user pools and HTTP APIs."""
        self._runner = runner
        self._stack_api = stack_api
        self._user_pools = user_pools
        self._apis = apis

    def __call__(self, request: Request) -> Response:
        if request.target.startswith("/_local/"):
            return self._local(request)
        if self._apis and request.path.startswith(http_api.PATH):
            return self._apis.handle(request)
        if public := self._public_document(request):
            return public
        if (page := self._page()) and _from_a_browser(request):
            return Response(302, [("Location", page_address(page, request.headers.get("host", "")))])
        call = identify(
            request.method, request.headers.get("host", ""), request.path, request.query, request.headers, request.body
        )
        if call.service == "s3" and request.method == "OPTIONS":
            return s3_cors.preflight(_cors_rules(request), request.headers)
        try:
            response = self._serve(request, call)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            response = error_response(call, "InternalError", f"The emulator's disk is full ({error.strerror}).", 500)
        if call.service == "s3" and "origin" in request.headers:
            response = s3_cors.with_cors(_cors_rules(request), request, response)
        if self._runner and (trace := request.headers.get("x-amzn-trace-id")):
            self._runner.crashes.call_served(trace, f"{call.service}:{call.operation}")
        return response

    def _serve(self, request: Request, call: Call) -> Response:
        role = self._identities.role_of(call.access_key)
        if not (call.service == "lambda" and call.operation == "Invoke"):  # the runner applies the faults of Invoke
            caller = role.session if role else ""
            fault = self._faults.match(call.service, call.operation, *call.resources, caller, body=request.body)
            if fault is not None:
                time.sleep(fault.delay_seconds)
                if fault.code != TIMEOUT:
                    return error_response(call, fault.code, fault.message, fault.status)
        if denial := self._denial(call, role):
            log.warning("%s", denial.message)
            return error_response(call, denial.code, denial.message, denial.status)
        if call.service == "s3" and call.access_key is None and call.actions:
            return error_response(call, "AccessDenied", "Access Denied", 403)
        if call.service == "s3" and (refused := presigned.refusal(request.query, datetime.now(UTC))):
            return error_response(call, *refused)
        return self._answer(request, call, role)

    def _denial(self, call: Call, role: Role | None) -> Denial | None:
        denial = authorize(call, role) if role else None
        if denial is None and (policy := self._resource_policy(call)):
            denial = denied_by_resource(call, policy, role.arn if role else ACCOUNT_ROOT)
        return denial

    def _resource_policy(self, call: Call) -> str | None:
        """The policy of the bucket, queue or topic that the call accesses, if it has one."""
        if not call.actions:
            return None
        resource = call.actions[0][1]
        if call.service == "s3":
            name = resource.removeprefix("arn:aws:s3:::").split("/", 1)[0]
            bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name)
            policy = bucket.policy if bucket else None
            return policy.decode() if isinstance(policy, bytes) else policy
        if call.service == "sqs":
            queue = sqs_backends[ACCOUNT_ID][self._region].queues.get(resource.rsplit(":", 1)[-1])
            return queue.policy if queue else None
        if call.service == "sns":
            topic = sns_backends[ACCOUNT_ID][self._region].topics.get(resource)
            return topic.policy if topic else None
        return None

    def _answer(self, request: Request, call: Call, role: Role | None) -> Response:
        if call.service == "lambda" and call.operation == "Invoke" and self._runner:
            name = unquote(request.path.split("/")[3])
            return lambda_api.invoke(request, call, self._runner, name)
        if call.service == "rekognition":
            target = request.headers.get("x-amz-target")
            status, headers, body = rekognition_respond(self._engine, target, request.body, self._object)
            return Response(status, list(headers.items()), body)
        if call.service == "cloudformation" and self._stack_api:
            return self._cloudformation(request, call, self._stack_api)
        if call.service == "cognito-idp" and self._user_pools:
            status, fields, body = self._user_pools.handle(call.operation, request.body, signed=call.access_key is not None)
            return Response(status, fields + cognito_cors.headers(request.headers), body)
        response = self._services.handle(request, call.service)
        if role is not None and call.when_missing and response.status == 404 and (d := authorize_missing(call, role)):
            return error_response(call, d.code, d.message, d.status)
        return response

    @staticmethod
    def _cloudformation(request: Request, call: Call, stack_api: StackApi) -> Response:
        try:
            return Response(*stack_api.handle(request.body.decode() or request.query))
        except StackMissing as error:
            return error_response(call, "ValidationError", str(error), 400)
        except OperationUnknown as error:
            message = f"The emulator doesn't support {error}. It deploys its template when it starts."
            return error_response(call, "InvalidAction", message, 400)

    @staticmethod
    def _object(bucket: str, key: str, version: str | None) -> bytes:
        """Read an object for Rekognition. The caller's permission to read it was checked with the call."""
        store = s3_backends[ACCOUNT_ID]["aws"]
        found = store.get_object(bucket, key, version_id=version) if bucket in store.buckets else None
        if found is None:
            raise ObjectNotReadable("The object doesn't exist.")
        return bytes(found.value)

    def _public_document(self, request: Request) -> Response | None:
        """What needs no signature: a preflight for user pools, or a document about a pool's keys."""
        if request.method == "OPTIONS" and request.path == "/":
            return Response(200, cognito_cors.preflight_headers(request.headers))
        if request.method != "GET" or "/.well-known/" not in request.path or not self._user_pools:
            return None
        document = self._user_pools.document(request.path)
        if document is None:
            return None
        return Response(200, [*JSON, ("Access-Control-Allow-Origin", "*")], json.dumps(document).encode())

    def _local(self, request: Request) -> Response:
        status: int
        body: Any
        match request.path:
            case "/_local/health":
                status, body = self._health()
            case "/_local/mailbox":
                status, body = 200, self._mailbox.list()
            case "/_local/faults":
                status, body = self._faults.handle(request.method, request.body)
            case _:
                status, body = (
                    404,
                    {"error": f"{request.path} is unknown; known: /_local/health, /_local/mailbox, /_local/faults"},
                )
        return Response(status, JSON, json.dumps(body, indent=2).encode() + b"\n")


def _cors_rules(request: Request) -> list[s3_cors.Rule] | None:
    """The CORS rules of the bucket that a request names; None if there is no such bucket."""
    name, _ = bucket_and_key(request.headers.get("host", ""), request.path)
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name)
    return None if bucket is None else [s3_cors.Rule.of(rule) for rule in bucket.cors]


def _from_a_browser(request: Request) -> bool:
    """Whether a browser asks for the endpoint's address itself. SDKs don't ask for HTML, and sign their requests."""
    asks_for_html = "text/html" in request.headers.get("accept", "")
    return request.method == "GET" and request.target == "/" and asks_for_html and "authorization" not in request.headers


def page_address(page: str, host: str) -> str:
    """The page's address under the name by which the browser knows this machine, from its Host header."""
    parts, asked = urlsplit(page), urlsplit(f"//{host}").hostname
    if not asked:
        return page
    name = f"[{asked}]" if ":" in asked else asked
    return f"{parts.scheme}://{name}:{parts.port}/"
