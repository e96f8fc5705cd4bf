"""Validates requests and recorded answers against botocore's model of Rekognition.

botocore's ParamValidator knows types, required members and lower bounds only; a service also refuses what is too
long, out of an enumeration or off a pattern, so the shapes are walked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition.errors import InvalidParameter

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

OVERSIZE_HAS_ITS_OWN_ERROR = "ImageBlob"  # above 5 MB: ImageTooLargeException, see pictures.py


@cache
def service_model() -> ServiceModel:
    """Rekognition's API model as botocore ships it."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def operation_model(operation: str) -> OperationModel:
    """The model of one operation, by its name in a request."""
    return service_model().operation_model(operation)


def check_request(operation: str, payload: dict[str, Any]) -> None:
    """Raises InvalidParameter with every constraint that the request breaks, in AWS's wording.

    `Image.Bytes` must already be bytes. Unknown members are ignored, as the service does.
    """
    broken = list(_problems(operation_model(operation).input_shape, payload, (), strict=False))
    if broken:
        noun = "validation error" if len(broken) == 1 else "validation errors"
        raise InvalidParameter(f"{len(broken)} {noun} detected: " + "; ".join(broken))


def answer_problems(operation: str, answer: object) -> list[str]:
    """Returns what the operation's output shape doesn't allow in a recorded answer, unknown members included."""
    return list(_problems(operation_model(operation).output_shape, answer, (), strict=True))


def _problems(shape: Any, value: object, path: tuple[str, ...], *, strict: bool) -> Iterator[str]:
    where = ".".join(path) or "input"
    if shape.type_name == "structure":
        yield from _structure(shape, value, path, where, strict=strict)
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield f"Value at '{where}' must be a list"
            return
        yield from _size(shape, len(value), where, "length")
        for index, item in enumerate(value, start=1):
            yield from _problems(shape.member, item, (*path, str(index), "member"), strict=strict)
    else:
        yield from _scalar(shape, value, where)


def _structure(shape: Any, value: object, path: tuple[str, ...], where: str, *, strict: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"Value at '{where}' must be a structure"
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{'.'.join((*path, _camel(name)))}' failed to satisfy constraint: Member must not be null"
    for name, member in value.items():
        if name in shape.members:
            if member is not None:
                yield from _problems(shape.members[name], member, (*path, _camel(name)), strict=strict)
        elif strict:
            yield f"'{'.'.join((*path, name))}' is not a member of {shape.name}"


def _scalar(shape: Shape, value: object, where: str) -> Iterator[str]:
    expected = _PYTHON_TYPES.get(shape.type_name)
    if expected and (not isinstance(value, expected) or (isinstance(value, bool) and shape.type_name != "boolean")):
        yield f"Value at '{where}' must be of type {shape.type_name}"
        return
    if isinstance(value, (bytes, str)):
        if shape.name != OVERSIZE_HAS_ITS_OWN_ERROR or len(value) == 0:
            yield from _size(shape, len(value), where, "length")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _size(shape, value, where, "value")
    if isinstance(value, str):
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            yield f"Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy enum value set: {allowed}"
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            yield f"Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy pattern: {pattern}"


def _size(shape: Shape, measure: float, where: str, noun: str) -> Iterator[str]:
    limits = shape.metadata
    sentence = f"Value at '{where}' failed to satisfy constraint: Member must have {noun}"
    if "min" in limits and measure < limits["min"]:
        yield f"{sentence} greater than or equal to {limits['min']}"
    if "max" in limits and measure > limits["max"]:
        yield f"{sentence} less than or equal to {limits['max']}"


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "blob": bytes,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}
