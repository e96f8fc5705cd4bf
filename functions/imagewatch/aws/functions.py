"""Invokes other functions of the stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.errors import Unavailable


def invoke(name: str, event: Mapping[str, Any]) -> Any:
    """Waits for the function's result. Raises Unavailable when it failed; its log says why."""
    with translated():
        answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise Unavailable(f"The function {name} failed: {payload.get('errorType', 'unknown error')}.")
    return payload
