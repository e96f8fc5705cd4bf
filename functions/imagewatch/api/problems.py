"""Problem documents: every error of the API as `application/problem+json`. Source: RFC 9457.

`errors` lists the single mistakes of a request: `pointer` (RFC 6901, as a URI fragment) leads to a value of the body, `parameter`
names one of the query's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from imagewatch.errors import InvalidCursor, InvalidQuery, InvalidRule, PermanentError, Throttled, TransientError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2
"""What Retry-After says when a service asked for no particular time."""

UNAVAILABLE = "A service that Imagewatch needs did not answer in time. Nothing is lost. Repeat the request later."
UNEXPECTED = "Imagewatch has a fault and could not handle the request. The log has the details under this RequestId."


@dataclass(frozen=True)
class Mistake:
    """One mistake of a request."""

    detail: str
    pointer: str | None = None
    """To a value of the body: "#/Files/0/Size"; "#" is the body itself."""
    parameter: str | None = None
    position: int | None = None
    """Characters before the mistake, in the parameter `q`."""

    def to_document(self) -> dict[str, Any]:
        values = {"detail": self.detail, "pointer": self.pointer, "parameter": self.parameter, "position": self.position}
        return {name: value for name, value in values.items() if value is not None}


@dataclass
class RequestRefused(PermanentError):
    """A request that can't be served. The message says what happened, why, and what to do."""

    status: HTTPStatus
    detail: str
    mistakes: Sequence[Mistake] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail


def not_found(what: str) -> RequestRefused:
    """The answer for what does not exist, and for what the viewer may not see: the answer is the same."""
    return RequestRefused(HTTPStatus.NOT_FOUND, f"There is no {what}, or you may not see it.")


def invalid(mistakes: Sequence[Mistake]) -> RequestRefused:
    """A request with mistakes in its parameters or its body."""
    first = mistakes[0].detail
    detail = first if len(mistakes) == 1 else f"The request has {len(mistakes)} mistakes. The first: {first}"
    return RequestRefused(HTTPStatus.BAD_REQUEST, detail, mistakes)


def pointer(path: Iterable[str | int]) -> str:
    """A JSON pointer as a URI fragment: ("Files", 0) -> "#/Files/0". Source: RFC 6901, section 6."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{quote(part, safe='!$&()*+,;=:@~')}" for part in parts)


def refusal(error: Exception) -> RequestRefused | None:
    """The refusal that an error of the domain means for a request; None for an unexpected error."""
    if isinstance(error, RequestRefused):
        return error
    if isinstance(error, InvalidRule):
        return invalid([Mistake(problem.text, pointer(problem.path)) for problem in error.problems])
    if isinstance(error, InvalidCursor):
        return invalid([Mistake(str(error), parameter="cursor")])
    if isinstance(error, InvalidQuery):
        return invalid([Mistake(str(error), parameter="q", position=error.position)])
    if isinstance(error, TransientError):
        wait = error.retry_after if isinstance(error, Throttled) else 0
        return RequestRefused(
            HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, headers={"Retry-After": str(int(wait) or RETRY_SECONDS)}
        )
    return None


def document(refused: RequestRefused, request_id: str) -> dict[str, Any]:
    """The body of the answer."""
    status = refused.status
    errors = [mistake.to_document() for mistake in refused.mistakes]
    return {
        "type": f"urn:imagewatch:problem:{status.name.lower().replace('_', '-')}",
        "title": status.phrase,
        "status": int(status),
        "detail": refused.detail,
        "RequestId": request_id,
        **({"errors": errors} if errors else {}),
    }


def answer(refused: RequestRefused, request_id: str) -> dict[str, Any]:
    """The answer of a function (payload format 2.0)."""
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **refused.headers}
    body = json.dumps(document(refused, request_id), ensure_ascii=False, separators=(",", ":"))
    return {"statusCode": int(refused.status), "headers": headers, "body": body}
