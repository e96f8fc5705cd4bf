"""The definition of an HTTP API, read from the OpenAPI document in its resource's `Body`.

Source: Amazon API Gateway developer guide, "OpenAPI definitions in API Gateway" and "x-amazon-apigateway extensions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.sam_template import Json, TemplateError

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "x-amazon-apigateway-any-method"}
_FUNCTION = re.compile(r"/functions/(arn:[^/]+)/invocations$")
_KNOWN_SECTIONS = {"openapi", "info", "paths", "components", "tags", "x-amazon-apigateway-cors"}


@dataclass(frozen=True)
class Authorizer:
    """A JWT authorizer. `source` is the lower-case name of the header with the token."""

    name: str
    issuer: str
    audience: tuple[str, ...]
    source: str = "authorization"


@dataclass(frozen=True)
class Route:
    """A route. `method` is in upper case, or ANY; `scopes` are those of which the token needs one."""

    method: str
    path: str
    function_arn: str
    authorizer: Authorizer | None = None
    scopes: tuple[str, ...] = ()
    timeout: float = 30.0

    @property
    def key(self) -> str:
        return "$default" if self.path == "/$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Cors:
    """The CORS configuration. Header names are in lower case. `max_age` is in seconds."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None
    credentials: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage. `rate` is in requests per second, `log_format` the format of its access log in the group `log_group`."""

    name: str
    rate: float | None = None
    burst: int | None = None
    log_group: str = ""
    log_format: str = ""


@dataclass
class HttpApi:
    """A deployed HTTP API."""

    api_id: str
    arn: str
    routes: list[Route]
    cors: Cors | None = None
    stages: dict[str, Stage] = field(default_factory=dict)

    @staticmethod
    def of(api_id: str, arn: str, body: Json) -> HttpApi:
        """Read an OpenAPI document. Raises TemplateError for a part that the emulator doesn't support."""
        if unknown := sorted(body.keys() - _KNOWN_SECTIONS):
            raise TemplateError(f"the emulator doesn't support {', '.join(unknown)} in an API's Body")
        authorizers = dict(_authorizers(body))
        return HttpApi(api_id, arn, list(_routes(body, authorizers)), _cors(body.get("x-amazon-apigateway-cors")))


def _authorizers(body: Json) -> Iterator[tuple[str, Authorizer]]:
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        details = scheme.get("x-amazon-apigateway-authorizer", {})
        if details.get("type") != "jwt":
            raise TemplateError(f"authorizer {name}: the emulator supports only JWT authorizers")
        source = str(details.get("identitySource", "$request.header.Authorization"))
        if not source.startswith("$request.header."):
            raise TemplateError(f"authorizer {name}: the emulator supports only a header as the identity source")
        jwt = details["jwtConfiguration"]
        header = source.removeprefix("$request.header.").lower()
        yield name, Authorizer(name, jwt["issuer"], tuple(jwt["audience"]), header)


def _routes(body: Json, authorizers: dict[str, Authorizer]) -> Iterator[Route]:
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if method not in METHODS:
                raise TemplateError(f"route {path}: the emulator doesn't support {method}")
            name = "ANY" if method.startswith("x-") else method.upper()
            is_default = operation.get("isDefaultRoute") or path.lstrip("/") == "$default"
            yield _route(name, "/$default" if is_default else path, operation, authorizers)


def _route(method: str, path: str, operation: Json, authorizers: dict[str, Authorizer]) -> Route:
    integration = operation["x-amazon-apigateway-integration"]
    found = _FUNCTION.search(str(integration.get("uri", "")))
    if integration.get("type") != "aws_proxy" or integration.get("payloadFormatVersion") != "2.0" or not found:
        raise TemplateError(f"route {method} {path}: the emulator supports only functions with payload format 2.0")
    authorizer, scopes = None, ()
    for requirement in operation.get("security", []):
        for name, wanted in requirement.items():
            if name not in authorizers and name != "NONE":
                raise TemplateError(f"route {method} {path}: the authorizer {name} isn't defined")
            authorizer, scopes = authorizers.get(name), tuple(wanted)
    timeout = float(integration.get("timeoutInMillis", 30000)) / 1000
    return Route(method, path, found[1], authorizer, scopes, timeout)


def _cors(properties: Json | None) -> Cors | None:
    if properties is None:
        return None

    def names(key: str) -> tuple[str, ...]:
        return tuple(properties.get(key, []))

    max_age = properties.get("maxAge")
    return Cors(
        origins=names("allowOrigins"),
        methods=names("allowMethods"),
        headers=tuple(name.lower() for name in names("allowHeaders")),
        exposed=tuple(name.lower() for name in names("exposeHeaders")),
        max_age=None if max_age is None else int(max_age),
        credentials=str(properties.get("allowCredentials", False)).lower() == "true",
    )
