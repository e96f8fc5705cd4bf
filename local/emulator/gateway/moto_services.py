"""Hands requests to moto: straight to a service's own dispatcher where that is safe, through moto's Flask app otherwise.

The straight way leaves out Flask, its URL map and the search for the service (we know it already): a third of the time.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core import responses
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header, should_preserve_original_header_name
from moto.core.request import Request as MotoRequest
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException

from local.emulator import memory
from local.emulator.gateway.http_server import Request, Response, wsgi_environ
from local.emulator.moto_patches import dynamodb_items
from local.emulator.s3.forms import is_form_upload
from local.emulator.s3.post_policy import PostPolicyMiddleware

Dispatch = Callable[[Any, str, Any], Any]
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "host.docker.internal", "172.17.0.1")


class _DirectRequest(MotoRequest):
    """moto treats it as one that came through its own server."""

    from_wsgi_server = True


class MockServices:
    """moto behind one call: `handle(request, service)`, service being the signing name."""

    def __init__(self) -> None:
        memory.forget_models()
        self.port = 0
        self._flask = PostPolicyMiddleware(DomainDispatcherApplication(create_backend_app))
        self._dispatchers: dict[str, Dispatch] = {}
        # DynamoDB's single-item writes are atomic; moto checks the condition, then makes the item, then fills it in.
        self._turn = threading.Lock()
        # moto reads bucket policies without their conditions; the gateway has already asked them.
        FakeBucket.get_permission = lambda bucket, action, resource: PermissionResult.NEUTRAL
        responses.method_names_from_class = functools.cache(responses.method_names_from_class)

    def handle(self, request: Request, service: str) -> Response:
        if service != "dynamodb":
            return self._handle(request, service)
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        with self._turn, dynamodb_items.request(operation):
            return self._handle(request, service)

    def _handle(self, request: Request, service: str) -> Response:
        environ = wsgi_environ(request, self.port)
        _keep_header_names(environ, request.header_list)
        dispatch = self._dispatcher(request, service)
        if dispatch is None:
            return self._through_flask(environ)
        moto_request = _DirectRequest(environ)
        try:
            result = dispatch(moto_request, moto_request.raw_url, dict(moto_request.headers))
        except HTTPException as error:
            answer = error.get_response()
            return Response(answer.status_code, list(answer.headers), answer.get_data())
        return _response(result)

    def _dispatcher(self, request: Request, service: str) -> Dispatch | None:
        """The straight way for this request, if there is one: not for browsers (CORS) nor for virtual-host buckets."""
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

    def _through_flask(self, environ: dict[str, Any]) -> Response:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
            started[:] = [int(status.split(" ", 1)[0]), headers]
            return lambda data: None

        chunks: Iterable[bytes] = self._flask(environ, start_response)
        body = b"".join(chunks)
        return Response(started[0], started[1], body)


def _s3_dispatcher(path: str) -> Dispatch | None:
    """As moto's s3/urls.py for path-style addresses."""
    from moto.s3.responses import S3Response

    parts = path.split("/", 2)
    if path.startswith(("//", "/v20180820/")):
        return None
    if not parts[1]:
        return S3Response.bucket_dispatch
    return S3Response.key_dispatch if len(parts) == 3 and parts[2] else S3Response.ambiguous_dispatch


def _keep_header_names(environ: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    """moto wants the original spelling of metadata names that hold underscores."""
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
