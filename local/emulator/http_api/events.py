"""Builds the event of a function (payload format 2.0) and reads its answer.

Sources: Amazon API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs". HTTP APIs decode the path, and
end it at a decoded "?" (live captures in github.com/hotsock/voker, pull request 8).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.emulator.gateway.http_server import Request, Response
from local.emulator.http_api.authorizer import Authorized
from local.emulator.http_api.definition import Route
from tools.sam_template import ACCOUNT_ID

TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
DEFAULT_TYPE = "text/plain;charset=UTF-8"


class MalformedAnswer(ValueError):
    """A function's answer isn't a response. API Gateway answers 500 then."""


@dataclass(frozen=True)
class Target:
    """Where a request goes: API, stage and route, with the decoded path below the stage."""

    api_id: str
    stage: str
    path: str
    route: Route
    parameters: dict[str, str]
    request_id: str


def decoded_path(path: str) -> str:
    return unquote(path).partition("?")[0]


def event_for(request: Request, target: Target, authorized: Authorized | None) -> dict[str, Any]:
    """The function's event in payload format 2.0."""
    full_path = target.path if target.stage == "$default" else f"/{target.stage}{target.path}"
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    cookies = [cookie.strip() for cookie in request.headers.get("cookie", "").split(";") if cookie.strip()]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": target.route.key,
        "rawPath": full_path,
        "rawQueryString": request.query,
        **({"cookies": cookies} if cookies else {}),
        "headers": {**headers, **_forwarded(request)},
        "requestContext": _context(request, target, full_path, authorized),
        "isBase64Encoded": False,
    }
    if query := _query(request.query):
        event["queryStringParameters"] = query
    if target.parameters:
        event["pathParameters"] = target.parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request)
    return event


def _forwarded(request: Request) -> dict[str, str]:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return {
        "content-length": str(len(request.body)),
        "x-amzn-trace-id": request.headers.get("x-amzn-trace-id", f"Root={root}"),
        "x-forwarded-for": request.client,
        "x-forwarded-port": request.headers.get("host", "").rpartition(":")[2],
        "x-forwarded-proto": "http",
    }


def _context(request: Request, target: Target, full_path: str, authorized: Authorized | None) -> dict[str, Any]:
    now = time.time()
    host = request.headers.get("host", "").partition(":")[0]
    return {
        "accountId": ACCOUNT_ID,
        "apiId": target.api_id,
        **({"authorizer": {"jwt": authorized.context()}} if authorized else {}),
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": full_path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": target.request_id,
        "routeKey": target.route.key,
        "stage": target.stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


def _query(query: str) -> dict[str, str]:
    """The decoded parameters. Values of the same name are joined with commas."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(request: Request) -> tuple[str, bool]:
    """The body, and whether it is in base 64: everything but text is."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in TEXT_TYPES:
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def response_of(payload: bytes) -> Response:
    """The response that a function's answer describes. Raises MalformedAnswer."""
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise MalformedAnswer("the function's answer is not JSON") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return Response(200, [("content-type", "application/json")], json.dumps(answer, separators=(",", ":")).encode())
    try:
        status = int(answer["statusCode"])
    except (TypeError, ValueError) as error:
        raise MalformedAnswer("statusCode is not a number") from error
    if not 100 <= status <= 599:
        raise MalformedAnswer("statusCode is not an HTTP status")
    return Response(status, _headers(answer), _content(answer))


def _headers(answer: dict[str, Any]) -> list[tuple[str, str]]:
    given = answer.get("headers") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str | int | float | bool) for value in given.values()):
        raise MalformedAnswer("headers is not a map of texts")
    headers = [
        (str(name).lower(), str(value).lower() if isinstance(value, bool) else str(value)) for name, value in given.items()
    ]
    if answer.get("body") and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", DEFAULT_TYPE))
    cookies = answer.get("cookies") or []
    if not isinstance(cookies, list):
        raise MalformedAnswer("cookies is not a list")
    return [*headers, *(("set-cookie", str(cookie)) for cookie in cookies)]


def _content(answer: dict[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswer("body is not a text")
    if answer.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedAnswer("body is not in base 64") from error
