"""Checks requests against botocore's model of user pools, as the service does before anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from local.emulator.cognito.errors import CognitoError, invalid_parameter
from local.emulator.gateway.service_models import service_model

Json = dict[str, Any]
SERVICE = "cognito-idp"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "structure": dict,
    "map": dict,
    "list": list,
    "boolean": bool,
    "integer": int,
    "long": int,
}


def is_public(operation: str) -> bool:
    """Whether the operation needs no AWS credentials."""
    return str(service_model(SERVICE).operation_model(operation).auth_type) == "none"


def check_request(operation: str, body: bytes) -> Json:
    """The request's document. Raises CognitoError for an unknown operation, or for values that the model doesn't allow."""
    model = service_model(SERVICE)
    if operation not in model.operation_names:
        raise CognitoError("UnknownOperationException", f"Unknown operation {operation}.")
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        raise CognitoError("SerializationException", "The request is not a JSON document.") from None
    if not isinstance(request, dict):
        raise CognitoError("SerializationException", "The request is not a JSON object.")
    shape = model.operation_model(operation).input_shape
    problems = list(_problems(shape, request, "")) if shape else []
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise invalid_parameter(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")
    return request


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    expected = _TYPES.get(shape.type_name)
    if expected and not isinstance(value, expected):
        raise CognitoError("SerializationException", f"{path or 'The request'} has the wrong type.")
    match shape.type_name:
        case "structure":
            for name in shape.required_members:
                if value.get(name) is None:
                    yield _failed(None, _joined(path, name), "Member must not be null")
            for name, member in shape.members.items():
                if value.get(name) is not None:
                    yield from _problems(member, value[name], _joined(path, name))
        case "list":
            for number, item in enumerate(value, 1):
                yield from _problems(shape.member, item, f"{path}.{number}.member")
        case "map":
            for key, item in value.items():
                yield from _problems(shape.value, item, f"{path}.{key}")
        case "string":
            yield from _text_problems(shape, value, path)


def _text_problems(shape: Any, value: str, path: str) -> Iterator[str]:
    shown = None if shape.metadata.get("sensitive") else value
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < int(least):
        yield _failed(shown, path, f"Member must have length greater than or equal to {least}")
    if most is not None and len(value) > int(most):
        yield _failed(shown, path, f"Member must have length less than or equal to {most}")
    if shape.enum and value not in shape.enum:
        yield _failed(shown, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield _failed(shown, path, f"Member must satisfy regular expression pattern: {pattern}")


def _matches(pattern: str, value: str) -> bool:
    if r"\p{" in pattern:  # letters, marks, symbols, numbers and punctuation: all but control characters and white space
        return not any(character.isspace() or not character.isprintable() for character in value)
    return re.fullmatch(pattern, value) is not None


def _failed(value: str | None, path: str, constraint: str) -> str:
    name = f"'{value}' " if value is not None else ""
    return f"Value {name}at '{path}' failed to satisfy constraint: {constraint}"


def _joined(path: str, name: str) -> str:
    return f"{path}.{_lower(name)}" if path else _lower(name)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
