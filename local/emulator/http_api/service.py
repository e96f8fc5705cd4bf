"""Serves the deployed HTTP APIs: route, throttling, token, function, response, access log."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from local.emulator.cloudformation.deployment import Permission
from local.emulator.gateway.http_server import Request, Response
from local.emulator.http_api.access_log import Entry
from local.emulator.http_api.answers import MalformedAnswer, response_of
from local.emulator.http_api.authorizer import Authorized, KeyOf, Refused, authorize
from local.emulator.http_api.cors import preflight, with_cors
from local.emulator.http_api.definition import HttpApi, Stage
from local.emulator.http_api.events import Target, decoded_path, event_for
from local.emulator.http_api.permissions import may_invoke
from local.emulator.http_api.routing import find_route
from local.emulator.http_api.throttling import Throttle
from local.emulator.lambda_.runner import FunctionNotFound, InvokeFault, LambdaRunner
from tools.sam_template import TemplateError

log = logging.getLogger(__name__)

PATH = "/_api/"
LARGEST_BODY = 10 * 1024 * 1024
ERROR_METRICS = {4: "4xx", 5: "5xx"}
"""The metrics that count errors, by the first digit of the status."""
Logged = Callable[[str, str, str], None]
"""Writes a line of an access log: group, stream, text."""
Measured = Callable[[str, Mapping[str, float]], None]
"""Records metrics of an API: its id, and the values by the metrics' names."""


@dataclass(frozen=True)
class Surroundings:
    """What the APIs need from the rest of the emulator."""

    runner: LambdaRunner
    permissions: Callable[[], list[Permission]]
    key_of: KeyOf
    logged: Logged
    measured: Measured
    now: Callable[[], float] = time.time


class HttpApis:
    """The deployed HTTP APIs, by id. Their requests have the path /_api/<API id>/<stage>/..."""

    def __init__(self, apis: Iterable[HttpApi], surroundings: Surroundings) -> None:
        self._apis = {api.api_id: api for api in apis}
        self._around = surroundings
        self._throttles = {
            (api.api_id, stage.name): Throttle(stage.rate, stage.burst)
            for api in self._apis.values()
            for stage in api.stages.values()
            if stage.rate is not None and stage.burst is not None
        }

    def handle(self, request: Request) -> Response:
        """Answer a request to one of the APIs."""
        api_id, _, rest = request.path.removeprefix(PATH).partition("/")
        api = self._apis.get(api_id)
        request_id = base64.b64encode(secrets.token_bytes(11)).decode()
        if api is None:
            return _message(404, "Not Found", request_id)
        stage_name, slash, below = rest.partition("/")
        stage, path = api.stages.get(stage_name), slash + below
        if stage is None and "$default" in api.stages:
            stage, path = api.stages["$default"], f"/{rest}"
        if stage is None:
            return _message(404, "Not Found", request_id)
        return self._measured(api, stage, decoded_path(path) or "/", request, request_id)

    def _measured(self, api: HttpApi, stage: Stage, path: str, request: Request, request_id: str) -> Response:
        """Answer, write the access log, and count the request."""
        started, entry = time.monotonic(), Entry()
        response = self._answer(api, stage, path, request, request_id, entry)
        milliseconds = (time.monotonic() - started) * 1000
        entry.set(
            {
                "requestId": request_id,
                "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
                "apiId": api.api_id,
                "stage": stage.name,
                "httpMethod": request.method,
                "protocol": "HTTP/1.1",
                "path": path if stage.name == "$default" else f"/{stage.name}{path}",
                "identity.sourceIp": request.client,
                "identity.userAgent": request.headers.get("user-agent", ""),
                "status": response.status,
                "responseLatency": int(milliseconds),
                "responseLength": len(response.body),
            }
        )
        if stage.log_group:
            self._around.logged(stage.log_group, f"{api.api_id}-{stage.name}", entry.line(stage.log_format))
        kind = ERROR_METRICS.get(response.status // 100)
        self._around.measured(api.api_id, {"Count": 1.0, "Latency": milliseconds, **({kind: 1.0} if kind else {})})
        return response

    def _answer(self, api: HttpApi, stage: Stage, path: str, request: Request, request_id: str, entry: Entry) -> Response:
        match = find_route(api.routes, request.method, path)
        if match is None:
            if request.method == "OPTIONS" and api.cors is not None:
                return preflight(api.cors, request.headers)
            return _message(404, "Not Found", request_id)
        entry.set({"routeKey": match.route.key})
        throttle = self._throttles.get((api.api_id, stage.name))
        if throttle is not None and not throttle.admits():
            return _message(429, "Too Many Requests", request_id)
        try:
            authorized = authorize(match.route, request.headers, self._around.key_of, self._around.now())
        except Refused as refusal:
            entry.set({"authorizer.error": refusal, "error.message": "Unauthorized" if refusal.status == 401 else "Forbidden"})
            text = {401: "Unauthorized", 403: "Forbidden"}[refusal.status]
            return _message(refusal.status, text, request_id, ("www-authenticate", refusal.challenge))
        if authorized:
            entry.set({f"authorizer.claims.{name}": value for name, value in authorized.context()["claims"].items()})
        if len(request.body) > LARGEST_BODY:
            return _message(413, "Request Entity Too Large", request_id)
        target = Target(api.api_id, stage.name, path, match.route, match.parameters, request_id)
        response = self._invoke(api, target, request, authorized, entry)
        return with_cors(api.cors, request.headers, response)

    def _invoke(self, api: HttpApi, target: Target, request: Request, authorized: Authorized | None, entry: Entry) -> Response:
        """The response of the route's function. Its failure is 500; 503 if it takes too long or no worker is free."""
        if not may_invoke(self._around.permissions(), api, target):
            return _failed(500, target, entry, f"{target.route.key}: the API has no permission to invoke the function")
        event = json.dumps(event_for(request, target, authorized)).encode()
        started = time.monotonic()
        try:
            result = self._around.runner.invoke(target.route.function_arn, event)
        except (FunctionNotFound, InvokeFault) as error:
            return _failed(500, target, entry, str(error))
        except TimeoutError as error:
            return _failed(503, target, entry, str(error))
        if time.monotonic() - started > target.route.timeout:
            return _failed(503, target, entry, f"the function took longer than {target.route.timeout:g} s")
        if result.error:
            return _failed(500, target, entry, result.payload.decode("utf-8", "replace"))
        try:
            response = response_of(result.payload)
        except MalformedAnswer as error:
            return _failed(500, target, entry, str(error))
        return Response(response.status, [*response.headers, ("apigw-requestid", target.request_id)], response.body)


def check_issuers(apis: Iterable[HttpApi], known: Collection[str]) -> None:
    """Raises TemplateError for an authorizer whose issuer isn't one of the deployed user pools."""
    for api in apis:
        for route in api.routes:
            if route.authorizer and route.authorizer.issuer not in known:
                name, issuer = route.authorizer.name, route.authorizer.issuer
                raise TemplateError(f"authorizer {name}: the emulator supports only its user pools as issuers, not {issuer}")


def _failed(status: int, target: Target, entry: Entry, reason: str) -> Response:
    log.warning("%s: %s", target.route.key, reason)
    entry.set({"integrationErrorMessage": reason, "error.message": reason})
    text = "Internal Server Error" if status == 500 else "Service Unavailable"
    return _message(status, text, target.request_id)


def _message(status: int, text: str, request_id: str, *headers: tuple[str, str]) -> Response:
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return Response(status, [("content-type", "application/json"), *headers, ("apigw-requestid", request_id)], body)
