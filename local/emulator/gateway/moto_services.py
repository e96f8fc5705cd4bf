"""Passes requests to moto: directly to a service's dispatcher where possible, through moto's Flask application otherwise.

The direct call skips Flask, its URL map and moto's search for the service. It saves a third of the time.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable
from typing import Any

from moto.core import responses
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header, should_preserve_original_header_name
from moto.core.request import Request as MotoRequest
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException

from local.emulator import memory
from local.emulator.gateway.http_server import Request, Response, collect_wsgi, wsgi_environ
from local.emulator.moto_patches import dynamodb_items
from local.emulator.s3.forms import is_form_upload
from local.emulator.s3.post_policy import PostPolicyMiddleware

Dispatch = Callable[[Any, str, Any], Any]
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "host.docker.internal", "172.17.0.1")


class _DirectRequest(MotoRequest):
    """A request that moto handles as if its own server had received it."""

    from_wsgi_server = True


class MotoServices:
    """moto's services. `service` is the name in the request's signature."""

    def __init__(self) -> None:
        memory.stop_tracking_models()
        self.port = 0
        self._flask = PostPolicyMiddleware(DomainDispatcherApplication(create_backend_app))
        self._dispatchers: dict[str, Dispatch] = {}
        # moto's conditional writes aren't atomic: it checks the condition, then creates the item, then sets its attributes.
        self._dynamodb_lock = threading.Lock()
        # moto ignores the conditions in bucket policies. The gateway has already evaluated the policies.
        FakeBucket.get_permission = _no_decision
        responses.method_names_from_class = functools.cache(responses.method_names_from_class)

    def handle(self, request: Request, service: str) -> Response:
        if service != "dynamodb":
            return self._handle(request, service)
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        with self._dynamodb_lock, dynamodb_items.request(operation):
            return self._handle(request, service)

    def _handle(self, request: Request, service: str) -> Response:
        environ = wsgi_environ(request, self.port)
        _keep_header_names(environ, request.header_list)
        dispatch = self._dispatcher(request, service)
        if dispatch is None:
            return collect_wsgi(self._flask, environ)
        moto_request = _DirectRequest(environ)
        try:
            result = dispatch(moto_request, moto_request.raw_url, dict(moto_request.headers))
        except HTTPException as error:
            answer = error.get_response()
            return Response(answer.status_code, list(answer.headers), answer.get_data())
        return _response(result)

    def _dispatcher(self, request: Request, service: str) -> Dispatch | None:
        """The dispatcher for a direct call. None for browser requests (CORS) and virtual-hosted buckets, which need Flask."""
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if "origin" in request.headers or request.method == "OPTIONS" or host not in LOCAL_HOSTS:
            return None
        if is_form_upload(request.method, request.headers.get("content-type", "")):
            return None
        if service == "s3":
            return _s3_dispatcher(request.path)
        if service not in self._dispatchers:
            self._load(service)
        return self._dispatchers.get(service)

    def _load(self, service: str) -> None:
        match service:
            case "dynamodb":
                from moto.dynamodb.responses import DynamoHandler

                self._dispatchers[service] = DynamoHandler.dispatch
            case "sqs":
                from moto.sqs.responses import SQSResponse

                self._dispatchers[service] = SQSResponse.dispatch
            case "sns":
                from moto.sns.responses import SNSResponse

                self._dispatchers[service] = SNSResponse.dispatch
            case "states":
                from moto.stepfunctions.responses import StepFunctionResponse

                self._dispatchers[service] = StepFunctionResponse.dispatch


def _no_decision(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    return PermissionResult.NEUTRAL


def _s3_dispatcher(path: str) -> Dispatch | None:
    """The same choice as moto's s3/urls.py makes for path-style URLs."""
    from moto.s3.responses import S3Response

    parts = path.split("/", 2)
    if path.startswith(("//", "/v20180820/")):
        return None
    dispatch: Dispatch = S3Response.ambiguous_dispatch
    if not parts[1]:
        dispatch = S3Response.bucket_dispatch
    elif len(parts) == 3 and parts[2]:
        dispatch = S3Response.key_dispatch
    return dispatch


def _keep_header_names(environ: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    """Add the original spelling of metadata names with underscores, which moto reads."""
    names = {environ_key_for_header(name): name for name, _ in headers if should_preserve_original_header_name(name)}
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = names


def _response(result: Any) -> Response:
    status, headers, content = result if len(result) == 3 else (200, {}, result)
    if isinstance(content, str):
        body = content.encode()
    elif isinstance(content, bytes):
        body = content
    elif isinstance(content, io.IOBase):
        body = content.read()
    else:
        body = b"".join(part.encode() if isinstance(part, str) else part for part in content or ())
    return Response(int(status), [(name, str(value)) for name, value in headers.items()], body)
