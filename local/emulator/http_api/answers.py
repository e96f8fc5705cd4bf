"""Reads the answer of a function in payload format 2.0.

Source: Amazon API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from local.emulator.gateway.http_server import Response

DEFAULT_TYPE = "text/plain;charset=UTF-8"


class MalformedAnswer(ValueError):
    """A function's answer isn't a response. API Gateway answers 500 then."""


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
