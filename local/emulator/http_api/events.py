"""Builds the event of a function in payload format 2.0.

Sources: Amazon API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs". HTTP APIs decode the path, and
end it at a decoded "?" (live captures in github.com/hotsock/voker, pull request 8).
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.emulator.gateway.http_server import Request
from local.emulator.http_api.authorizer import Authorized
from local.emulator.http_api.definition import Route
from tools.sam_template import ACCOUNT_ID

TEXT_TYPES = ("application/json", "application/javascript", "application/xml")


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
