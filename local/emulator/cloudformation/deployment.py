"""Deploys a template: evaluates conditions, orders resources by their references, creates them through the AWS APIs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.emulator.cloudformation.registry import Created, handler_for
from local.emulator.cognito.user_pool import UserPool
from local.emulator.http_api.definition import HttpApi
from local.emulator.lambda_.functions import Function
from tools.sam_template import ACCOUNT_ID, Json, Resolver, Template, TemplateError, references


@dataclass(frozen=True)
class RolePolicies:
    """A role with the statements of all its inline and managed policies."""

    name: str
    arn: str
    statements: list[Mapping[str, Any]]


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping from a queue to a function."""

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
    """A Lambda permission: the service principal may invoke the function, for this source ARN only if there is one."""

    function_name: str
    principal: str
    source_arn: str | None


@dataclass(frozen=True)
class Output:
    """An output of the stack."""

    key: str
    value: str
    description: str


@dataclass
class Deployment:
    """A stack: its template, and the resources created so far. `client(service)` returns a boto3 client of the root user."""

    template: Template
    stack_name: str
    region: str
    endpoint: str
    client: Callable[[str], Any]
    created: dict[str, Created] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    roles: dict[str, RolePolicies] = field(default_factory=dict)
    policies: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    mappings: list[QueueMapping] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    user_pools: dict[str, UserPool] = field(default_factory=dict)
    apis: dict[str, HttpApi] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.resolver = Resolver(self.template, self.region, self.ref, self.attribute, stack_name=self.stack_name)

    def deploy(self) -> None:
        """Create each resource whose condition holds.

        Raises TemplateError for an unsupported resource before the first one is created.
        """
        resources = self._selected()
        handlers = {logical_id: handler_for(logical_id, resource) for logical_id, resource in resources.items()}
        for logical_id in _in_order(resources):
            properties = self.resolver.resolve(resources[logical_id].get("Properties", {}))
            self.created[logical_id] = handlers[logical_id](self, logical_id, properties)

    def _selected(self) -> dict[str, Json]:
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

    def output(self, key: str) -> str | None:
        """The value of an output; None if the stack has no such output."""
        return next((output.value for output in self.outputs() if output.key == key), None)

    def ref(self, logical_id: str) -> Any:
        return self._created(logical_id).ref

    def attribute(self, logical_id: str, name: str) -> Any:
        created = self._created(logical_id)
        try:
            return created.attributes[name]
        except KeyError:
            raise TemplateError(f"{logical_id}: the emulator doesn't support the attribute {name}") from None

    def _created(self, logical_id: str) -> Created:
        try:
            return self.created[logical_id]
        except KeyError:
            raise TemplateError(f"the template refers to {logical_id}, which is not deployed") from None

    def generated_name(self, logical_id: str) -> str:
        """A name in CloudFormation's format. It is the same at each start."""
        digest = hashlib.sha256(f"{self.stack_name}/{logical_id}".encode()).hexdigest()
        return f"{self.stack_name}-{logical_id}-{digest[:12].upper()}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT_ID}:{resource}"


def _in_order(resources: dict[str, Json]) -> list[str]:
    """The logical ids, each after the ids that it depends on. Raises TemplateError for a circular dependency."""
    dependencies = {logical_id: _dependencies(resource) & resources.keys() for logical_id, resource in resources.items()}
    ordered: list[str] = []
    while len(ordered) < len(resources):
        ready = [name for name in resources if name not in ordered and dependencies[name] <= set(ordered)]
        if not ready:
            cycle = ", ".join(name for name in resources if name not in ordered)
            raise TemplateError(f"circular dependency between the resources {cycle}")
        ordered += ready
    return ordered


def _dependencies(resource: Json) -> set[str]:
    explicit = resource.get("DependsOn", [])
    return {*references(resource.get("Properties", {})), *([explicit] if isinstance(explicit, str) else explicit)}
