"""One deployment: decides conditions, orders resources by what they refer to, creates them through the AWS API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.emulator.cloudformation.registry import Created, handler_for
from local.emulator.lambda_.functions import Function
from tools.sam_template import ACCOUNT_ID, Json, Resolver, Template, TemplateError, references


@dataclass(frozen=True)
class RolePolicies:
    """One role with every statement of its inline and managed policies, resolved."""

    name: str
    arn: str
    statements: list[Json]


@dataclass(frozen=True)
class QueueMapping:
    """One event source mapping: which queue feeds which function, in batches of what size."""

    uuid: str
    queue_arn: str
    function_name: str
    batch_size: int = 10
    window_seconds: float = 0
    maximum_concurrency: int = 5
    report_failures: bool = False
    enabled: bool = True


@dataclass(frozen=True)
class Permission:
    """Who may invoke a function besides the account's own roles."""

    function_name: str
    principal: str
    source_arn: str | None


@dataclass(frozen=True)
class Output:
    key: str
    value: str
    description: str


@dataclass
class Deployment:
    """What was deployed. `client(service)` gives a boto3 client of the account's owner at the local endpoint."""

    template: Template
    stack_name: str
    region: str
    endpoint: str
    client: Callable[[str], Any]
    created: dict[str, Created] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    roles: dict[str, RolePolicies] = field(default_factory=dict)
    policies: dict[str, list[Json]] = field(default_factory=dict)
    mappings: list[QueueMapping] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resolver = Resolver(self.template, self.region, self.ref, self.attribute, stack_name=self.stack_name)

    def deploy(self) -> None:
        """Create every resource whose condition holds; raises TemplateError before anything is created half-way."""
        wanted = self._wanted()
        handlers = {logical_id: handler_for(logical_id, resource) for logical_id, resource in wanted.items()}
        for logical_id in _in_order(wanted):
            properties = self.resolver.resolve(wanted[logical_id].get("Properties", {}))
            self.created[logical_id] = handlers[logical_id](self, logical_id, properties)

    def _wanted(self) -> dict[str, Json]:
        return {
            logical_id: resource
            for logical_id, resource in self.template.resources.items()
            if "Condition" not in resource or self.resolver.condition(resource["Condition"])
        }

    def outputs(self) -> list[Output]:
        found = []
        for key, output in self.template.body.get("Outputs", {}).items():
            if "Condition" not in output or self.resolver.condition(output["Condition"]):
                found.append(Output(key, str(self.resolver.resolve(output["Value"])), output.get("Description", "")))
        return found

    def ref(self, logical_id: str) -> Any:
        return self._created(logical_id).ref

    def attribute(self, logical_id: str, name: str) -> Any:
        created = self._created(logical_id)
        try:
            return created.attributes[name]
        except KeyError:
            raise TemplateError(f"{logical_id} has no attribute {name} in the emulator") from None

    def _created(self, logical_id: str) -> Created:
        try:
            return self.created[logical_id]
        except KeyError:
            raise TemplateError(f"the template refers to {logical_id}, which isn't deployed") from None

    def generated_name(self, logical_id: str) -> str:
        """A name like CloudFormation's, the same at every start."""
        digest = hashlib.sha256(f"{self.stack_name}/{logical_id}".encode()).hexdigest()
        return f"{self.stack_name}-{logical_id}-{digest[:12].upper()}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT_ID}:{resource}"


def _in_order(resources: dict[str, Json]) -> list[str]:
    """Logical ids, each after those that it needs; raises TemplateError for a circle."""
    needs = {logical_id: _needs(resource) & resources.keys() for logical_id, resource in resources.items()}
    ordered: list[str] = []
    while len(ordered) < len(resources):
        ready = [name for name in resources if name not in ordered and needs[name] <= set(ordered)]
        if not ready:
            circle = ", ".join(name for name in resources if name not in ordered)
            raise TemplateError(f"the template's resources need each other in a circle: {circle}")
        ordered += ready
    return ordered


def _needs(resource: Json) -> set[str]:
    explicit = resource.get("DependsOn", [])
    return {*references(resource.get("Properties", {})), *([explicit] if isinstance(explicit, str) else explicit)}
