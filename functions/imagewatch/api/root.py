"""The API itself: the operation that returns its description, and the answer to requests that no route matches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

from imagewatch.api.operation import Answer, Operation
from imagewatch.api.problems import RequestRefused, not_found
from imagewatch.api.schemas import ANYTHING

GET_OPENAPI = Operation(
    "GET", "/openapi.json", "getOpenapi", "Returns this document", Answer("The OpenAPI 3.1 document of the API.", ANYTHING)
)
OPERATIONS = (GET_OPENAPI,)


def unmatched(method: str, path: str, operations: Iterable[Operation]) -> RequestRefused:
    """Why no route matches: there is no such path (404), or it has other methods (405, RFC 9110, section 15.5.6)."""
    allowed = sorted({operation.method for operation in operations if _matches(operation.path, path)})
    if not allowed or method in allowed:  # the gateway has matched neither
        return not_found("such resource")
    names = ", ".join(allowed)
    return RequestRefused(
        HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not a method of {path}. Its methods are {names}.", headers={"Allow": names}
    )


def _matches(pattern: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)), path) is not None
