"""The OpenAPI 3.1 document of the API, generated from the declarations of its operations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagewatch.api.catalogue import OPERATIONS, PUBLIC_OPERATIONS
from imagewatch.api.operation import Operation, Parameter
from imagewatch.api.problems import MEDIA_TYPE
from imagewatch.api.schemas import STRING, mapping
from imagewatch.rules.model import RULE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_MISTAKE = mapping(
    {"detail": STRING},
    {
        "pointer": {**STRING, "description": "A JSON pointer to the value of the body, as a URI fragment: #/Files/0/Size."},
        "parameter": {**STRING, "description": "The parameter of the query."},
        "position": {"type": "integer", "minimum": 0, "description": "Characters of the parameter before the mistake."},
    },
)
PROBLEM = {
    **mapping(
        {"type": STRING, "title": STRING, "status": {"type": "integer"}, "detail": STRING, "RequestId": STRING},
        {"errors": {"type": "array", "items": _MISTAKE}},
    ),
    "description": "RFC 9457. `errors` lists every mistake of the request.",
}
_REFUSED_BY_GATEWAY = mapping({"message": STRING}, description="Answers of API Gateway itself are no problem documents.")
_ANSWERS = {
    "BadRequest": "The request has mistakes. `errors` lists all of them.",
    "Unauthorized": "The access token is missing, invalid or expired.",
    "Forbidden": "The token is no access token, or the operation is for operators only.",
    "NotFound": "It does not exist, or you may not see it.",
    "Conflict": "Another change came first, or something of this name exists.",
    "UnsupportedMediaType": "The body is not JSON.",
    "TooManyRequests": "The API gets too many requests. Repeat the request later.",
    "InternalServerError": "Imagewatch has a fault. Its log has the details under the RequestId.",
    "ServiceUnavailable": "A service that Imagewatch needs did not answer. Repeat the request after Retry-After seconds.",
}
_STATUS = {
    "BadRequest": "400", "Unauthorized": "401", "Forbidden": "403", "NotFound": "404", "Conflict": "409",
    "UnsupportedMediaType": "415", "TooManyRequests": "429", "InternalServerError": "500", "ServiceUnavailable": "503",
}  # fmt: skip
_BY_GATEWAY = ("Unauthorized", "Forbidden", "TooManyRequests")


def document() -> dict[str, Any]:
    """The whole document. Its paths are relative to the output ApiUrl of the stack, which ends with /v1."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in (*OPERATIONS, *PUBLIC_OPERATIONS):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Imagewatch",
            "version": "1",
            "description": "Uploads, images, search, watchlist and alerts. docs/api.md has examples.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/v1"}],
        "security": [{"AccessToken": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "AccessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token of the stack's user pool. An ID token is refused.",
                }
            },
            "responses": {name: _refusal(name) for name in _ANSWERS},
            "schemas": {"Problem": PROBLEM, "GatewayMessage": _REFUSED_BY_GATEWAY, **_declared_schemas()},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described = {"description": operation.description} if operation.description else {}
    refused = ["BadRequest", *(["NotFound"] if operation.ids else [])]
    refused += ["UnsupportedMediaType"] if operation.has_body else []
    refused += ["Conflict"] if operation.conflicts else []
    public = operation in PUBLIC_OPERATIONS
    refused += [] if public else ["Unauthorized", "Forbidden"]
    refused += ["TooManyRequests", "InternalServerError", "ServiceUnavailable"]
    answers: dict[str, Any] = {_STATUS[name]: {"$ref": f"#/components/responses/{name}"} for name in refused}
    content = {media_type: {"schema": _schema(operation, media_type)} for media_type in operation.answer.media_types}
    answers[str(int(operation.answer.status))] = {"description": operation.answer.description, "content": content}
    parameters = [_path_parameter(name, pattern) for name, pattern in operation.ids.items()]
    parameters += [_query_parameter(parameter) for parameter in operation.query]
    return {
        "operationId": operation.operation_id,
        "tags": [operation.tag],
        "summary": operation.summary + (" (operators)" if operation.operators_only else ""),
        **described,
        **({"security": []} if public else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(operation)} if operation.has_body else {}),
        "responses": dict(sorted(answers.items())),
    }


def _schema(operation: Operation, media_type: str) -> Any:
    return _moved(operation.answer.schema) if media_type == "application/json" else STRING


def _body(operation: Operation) -> dict[str, Any]:
    schema = operation.body.schema if operation.body else operation.body_schema
    return {"required": True, "content": {"application/json": {"schema": _moved(schema)}}}


def _path_parameter(name: str, pattern: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.kind.schema)
    if parameter.repeated:
        schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": 100}
    elif parameter.default not in (None, ""):
        schema["default"] = parameter.default
    required = {"required": True} if parameter.required else {}
    return {"name": parameter.name, "in": "query", **required, "description": parameter.description, "schema": schema}


def _refusal(name: str) -> dict[str, Any]:
    content: dict[str, Any] = {MEDIA_TYPE: {"schema": _PROBLEM}}
    if name in _BY_GATEWAY:
        content["application/json"] = {"schema": {"$ref": "#/components/schemas/GatewayMessage"}}
    return {"description": _ANSWERS[name], "content": content}


def _declared_schemas() -> dict[str, Any]:
    """A rule, and what the schemas of bodies refer to."""
    schemas: dict[str, Any] = {"Rule": _moved(RULE.schema)}
    for declaration in (RULE, *(operation.body for operation in OPERATIONS if operation.body)):
        schemas |= {_component(name): _moved(schema) for name, schema in declaration.definitions.items()}
    return dict(sorted(schemas.items()))


def _moved(schema: Any) -> Any:
    """The schema with its references to `$defs` led to the document's components."""
    if isinstance(schema, Mapping):
        return {
            name: f"#/components/schemas/{_component(value[8:])}"
            if name == "$ref" and value.startswith("#/$defs/")
            else _moved(value)
            for name, value in schema.items()
        }
    return [_moved(entry) for entry in schema] if isinstance(schema, list | tuple) else schema


def _component(name: str) -> str:
    return re.sub(r"(^|[^A-Za-z0-9])([A-Za-z])", lambda match: match[2].upper(), name)
