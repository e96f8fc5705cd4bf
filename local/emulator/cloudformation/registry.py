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
class _Claim:
    handler: Handler
    properties: frozenset[str]


_claims: dict[str, _Claim] = {}
_RESOURCE_KEYS = {
    "Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata",
}  # fmt: skip


def claims(resource_type: str, *properties: str) -> Callable[[Handler], Handler]:
    """Register the handler of a resource type with its supported properties.

    "A" stands for property A with everything below it, "A.B" for property B of A, or of A's items if A is a list.
    """

    def register(handler: Handler) -> Handler:
        _claims[resource_type] = _Claim(handler, frozenset(properties))
        return handler

    return register


def supported_types() -> list[str]:
    """The resource types that have a handler."""
    return sorted(_claims)


def handler_for(logical_id: str, resource: Json) -> Handler:
    """The handler of a resource. Raises TemplateError for an unsupported type, attribute or property."""
    claim = _claims.get(resource["Type"])
    if claim is None:
        raise TemplateError(f"{logical_id}: the emulator doesn't support the resource type {resource['Type']}")
    if unknown := sorted(resource.keys() - _RESOURCE_KEYS):
        raise TemplateError(f"{logical_id}: the emulator doesn't support the resource attribute {', '.join(unknown)}")
    for path in _unclaimed(resource.get("Properties", {}), "", claim.properties):
        raise TemplateError(f"{logical_id}: the emulator doesn't support the property {path} of {resource['Type']}")
    return claim.handler


def _unclaimed(value: Any, prefix: str, claimed: frozenset[str]) -> list[str]:
    if isinstance(value, list):
        return [path for item in value for path in _unclaimed(item, prefix, claimed)]
    if not isinstance(value, dict):
        return []
    if len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref")):
        argument = next(iter(value.values()))
        branches = argument[1:] if "Fn::If" in value else []
        return _unclaimed(branches, prefix, claimed)
    found: list[str] = []
    for key, item in value.items():
        path = f"{prefix}.{key}" if prefix else key
        if path in claimed:
            continue
        if any(name.startswith(f"{path}.") for name in claimed):
            found += _unclaimed(item, path, claimed)
        else:
            found.append(path)
    return found
