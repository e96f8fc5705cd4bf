"""Rekognition's wire protocol, JSON 1.1: the operation is in the X-Amz-Target header, and errors carry `__type` and `Message`."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition.errors import RekognitionError, Serialization, UnknownOperation

if TYPE_CHECKING:
    from local.emulator.rekognition.engine import Engine
    from local.emulator.rekognition.requests import Fetch

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "RekognitionService."


def operation_of(target: str | None) -> str:
    """The operation named by an X-Amz-Target header. Raises UnknownOperation."""
    prefix, _, operation = (target or "").rpartition(".")
    if f"{prefix}." != TARGET_PREFIX or not operation:
        raise UnknownOperation(f"X-Amz-Target must be {TARGET_PREFIX}<Operation>, not {target!r}.")
    return operation


def payload_of(body: bytes) -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object. Raises Serialization."""
    try:
        payload = json.loads(body or b"{}")
    except ValueError as error:
        raise Serialization(f"The request is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise Serialization("The request must be a JSON object.")
    return payload


def respond(engine: Engine, target: str | None, body: bytes, fetch: Fetch) -> tuple[int, dict[str, str], bytes]:
    """Answers one HTTP request: returns status, headers and body."""
    try:
        status, answer = engine.handle(operation_of(target), payload_of(body), fetch)
    except RekognitionError as error:
        status, answer = error.status, error.answer()
    content = json.dumps(answer).encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(content)),
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    return status, headers, content
