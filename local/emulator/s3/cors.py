"""CORS of buckets. moto answers preflights for buckets without a configuration, and allows every origin.

Source: Amazon S3 user guide, "Using cross-origin resource sharing (CORS)": a rule applies to a request whose origin, method and
headers it lists. A preflight without such a rule is refused; another request is served, without CORS headers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.emulator.gateway.http_server import Request, Response
from local.emulator.gateway.wire_errors import s3_error_xml

NOT_ENABLED = "CORSResponse: CORS is not enabled for this bucket."
NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)
NO_ORIGIN = "Insufficient information. Origin request header needed."
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Rule:
    """A rule of a bucket's CORS configuration. "*" stands for any text in origins and headers. `max_age` is in seconds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: str = ""

    @staticmethod
    def of(rule: Any) -> Rule:
        """moto's rule, whose lists with one item are texts."""
        return Rule(
            origins=_items(rule.allowed_origins),
            methods=_items(rule.allowed_methods),
            headers=tuple(name.lower() for name in _items(rule.allowed_headers)),
            exposed=_items(rule.exposed_headers),
            max_age=str(rule.max_age_seconds or ""),
        )

    def allows(self, origin: str, method: str, headers: Iterable[str] = ()) -> bool:
        return (
            any(_fits(pattern, origin) for pattern in self.origins)
            and method in self.methods
            and all(any(_fits(pattern, name.lower()) for pattern in self.headers) for name in headers)
        )

    def response_headers(self, origin: str) -> Headers:
        any_origin = "*" in self.origins
        found: Headers = [("Access-Control-Allow-Origin", "*" if any_origin else origin)]
        found.append(("Access-Control-Allow-Methods", ", ".join(self.methods)))
        if self.exposed:
            found.append(("Access-Control-Expose-Headers", ", ".join(self.exposed)))
        if self.max_age:
            found.append(("Access-Control-Max-Age", self.max_age))
        if not any_origin:
            found.append(("Access-Control-Allow-Credentials", "true"))
        return [*found, ("Vary", VARY)]


def preflight(rules: list[Rule] | None, headers: Mapping[str, str]) -> Response:
    """The answer to an OPTIONS request; `rules` is None if the bucket doesn't exist."""
    origin, method = headers.get("origin"), headers.get("access-control-request-method")
    if not origin:
        return _refused(400, "BadRequest", NO_ORIGIN)
    if not method:
        return _refused(400, "BadRequest", "Invalid Access-Control-Request-Method: null")
    if not rules:
        return _refused(403, "AccessForbidden", NOT_ENABLED)
    wanted = [name.strip() for name in headers.get("access-control-request-headers", "").split(",") if name.strip()]
    for rule in rules:
        if rule.allows(origin, method, wanted):
            allowed = [("Access-Control-Allow-Headers", ", ".join(name.lower() for name in wanted))] if wanted else []
            return Response(200, [*rule.response_headers(origin), *allowed])
    return _refused(403, "AccessForbidden", NOT_ALLOWED)


def with_cors(rules: list[Rule] | None, request: Request, response: Response) -> Response:
    """A response with the CORS headers of the first rule that applies, instead of moto's."""
    kept = [(name, value) for name, value in response.headers if not name.lower().startswith("access-control-")]
    origin = request.headers["origin"]
    for rule in rules or ():
        if rule.allows(origin, request.method):
            return Response(response.status, [*kept, *rule.response_headers(origin)], response.body)
    return Response(response.status, kept, response.body)


def _refused(status: int, code: str, message: str) -> Response:
    request_id = str(uuid.uuid4())
    headers = [("Content-Type", "application/xml"), ("x-amz-request-id", request_id)]
    return Response(status, headers, s3_error_xml(code, message, request_id))


def _items(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
