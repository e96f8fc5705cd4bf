"""The supported resource types with their properties. An unsupported type or property is an error that names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.sam_template import Json, TemplateError

if TYPE_CHECKING:
    from local.emulator.cloudformation.deployment import Deployment


@dataclass(frozen=True)
class Created:
    """A deployed resource: the value of Ref, which is also its physical id, and the attributes for GetAtt."""

    ref: str
    attributes: dict[str, Any] = field(default_factory=dict)


Handler = Callable[["Deployment", str, Json], Created]


@dataclass(frozen=True)
class _Support:
    handler: Handler
    properties: frozenset[str]


_types: dict[str, _Support] = {}
_RESOURCE_KEYS = {
    "Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata",
}  # fmt: skip


def supports(resource_type: str, *properties: str) -> Callable[[Handler], Handler]:
    """Register the handler of a resource type with its supported properties.

    "A" stands for property A with everything below it, "A.B" for property B of A, or of A's items if A is a list.
    """

    def register(handler: Handler) -> Handler:
        _types[resource_type] = _Support(handler, frozenset(properties))
        return handler

    return register


def supported_types() -> list[str]:
    """The resource types that have a handler."""
    return sorted(_types)


def handler_for(logical_id: str, resource: Json) -> Handler:
    """The handler of a resource. Raises TemplateError for an unsupported type, attribute or property."""
    support = _types.get(resource["Type"])
    if support is None:
        raise TemplateError(f"{logical_id}: the emulator doesn't support the resource type {resource['Type']}")
    if unknown := sorted(resource.keys() - _RESOURCE_KEYS):
        raise TemplateError(f"{logical_id}: the emulator doesn't support the resource attribute {', '.join(unknown)}")
    for path in _unsupported(resource.get("Properties", {}), "", support.properties):
        raise TemplateError(f"{logical_id}: the emulator doesn't support the property {path} of {resource['Type']}")
    return support.handler


def _unsupported(value: Any, prefix: str, supported: frozenset[str]) -> list[str]:
    if isinstance(value, list):
        return [path for item in value for path in _unsupported(item, prefix, supported)]
    if not isinstance(value, dict):
        return []
    if len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref")):
        argument = next(iter(value.values()))
        branches = argument[1:] if "Fn::If" in value else []
        return _unsupported(branches, prefix, supported)
    found: list[str] = []
    for key, item in value.items():
        path = f"{prefix}.{key}" if prefix else key
        if path in supported:
            continue
        if any(name.startswith(f"{path}.") for name in supported):
            found += _unsupported(item, path, supported)
        else:
            found.append(path)
    return found
