"""Who understands which resource type, and which of its properties. What nobody claims stops the start with its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.sam_template import Json, TemplateError

if TYPE_CHECKING:
    from local.emulator.cloudformation.deployment import Deployment


@dataclass(frozen=True)
class Created:
    """A deployed resource: what Ref gives (also shown as its physical id) and what GetAtt can ask for."""

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
    """Register a handler. "A" claims property A with all below it, "A.B" only B in A (also through lists)."""

    def register(handler: Handler) -> Handler:
        _claims[resource_type] = _Claim(handler, frozenset(properties))
        return handler

    return register


def handler_for(logical_id: str, resource: Json) -> Handler:
    """The handler of a resource; raises TemplateError naming the type or the property that nobody claims."""
    claim = _claims.get(resource["Type"])
    if claim is None:
        raise TemplateError(f"{logical_id}: the local stack doesn't know the resource type {resource['Type']}")
    if strange := sorted(resource.keys() - _RESOURCE_KEYS):
        raise TemplateError(f"{logical_id}: the local stack doesn't know the resource attribute {', '.join(strange)}")
    for path in _unclaimed(resource.get("Properties", {}), "", claim.properties):
        raise TemplateError(f"{logical_id}: the local stack doesn't know the property {path} of {resource['Type']}")
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
