"""CloudFormation's read operations for the deployed stack.

moto's CloudFormation isn't used: it imports all of moto's services, which takes a second and 120 MB.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from urllib.parse import parse_qsl

from moto.core.serialize import QuerySerializer
from moto.core.utils import get_service_model

from local.emulator.cloudformation import Deployment
from tools.sam_template import Json

Answer = tuple[int, list[tuple[str, str]], bytes]
STATUS = "CREATE_COMPLETE"


class StackMissing(Exception):
    """The requested stack or resource doesn't exist."""


class OperationUnknown(Exception):
    """The operation isn't supported. The emulator can't create, update or delete stacks."""


class StackApi:
    """Answers requests about the deployment's stack."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._created = datetime.datetime.now(datetime.UTC)
        self._answers: dict[str, Callable[[Json], Json]] = {
            "DescribeStacks": self._describe_stacks,
            "DescribeStackResources": self._describe_resources,
            "DescribeStackResource": self._describe_resource,
            "ListStackResources": self._list_resources,
            "ListStacks": self._list_stacks,
            "GetTemplate": self._get_template,
            "DescribeStackEvents": self._describe_events,
        }

    def handle(self, body: str) -> Answer:
        """Answer one query request. Raises StackMissing or OperationUnknown."""
        form = dict(parse_qsl(body, keep_blank_values=True))
        operation = form.get("Action", "")
        if operation not in self._answers:
            raise OperationUnknown(operation)
        result = self._answers[operation](form)
        model = get_service_model("cloudformation").operation_model(operation)
        answer = QuerySerializer(operation_model=model).serialize(result)
        headers = [("Content-Type", "text/xml"), ("x-amzn-RequestId", str(uuid.uuid4()))]
        text = answer["body"]
        return answer["status_code"], headers, text.encode() if isinstance(text, str) else text

    def _check(self, form: Json) -> None:
        name = form.get("StackName")
        if name not in (None, "", self._deployment.stack_name, self._stack_id):
            raise StackMissing(f"Stack with id {name} does not exist")

    @property
    def _stack_id(self) -> str:
        return self._deployment.resolver.stack_id

    def _describe_stacks(self, form: Json) -> Json:
        self._check(form)
        deployment = self._deployment
        outputs = [
            {"OutputKey": item.key, "OutputValue": item.value, "Description": item.description} for item in deployment.outputs()
        ]
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in deployment.template.parameters.items()]
        stack = {
            **self._summary(),
            "Description": deployment.template.body.get("Description", ""),
            "Parameters": parameters,
            "Outputs": outputs,
            "Capabilities": ["CAPABILITY_IAM"],
            "DisableRollback": False,
            "Tags": [],
        }
        return {"Stacks": [stack]}

    def _summary(self) -> Json:
        return {
            "StackId": self._stack_id,
            "StackName": self._deployment.stack_name,
            "CreationTime": self._created,
            "StackStatus": STATUS,
        }

    def _resources(self) -> list[Json]:
        types = {name: resource["Type"] for name, resource in self._deployment.template.resources.items()}
        return [
            {"LogicalResourceId": name, "PhysicalResourceId": item.ref, "ResourceType": types[name]}
            for name, item in self._deployment.created.items()
        ]

    def _detailed(self) -> list[Json]:
        stack = {"StackName": self._deployment.stack_name, "StackId": self._stack_id, "ResourceStatus": STATUS}
        return [{**resource, **stack, "Timestamp": self._created} for resource in self._resources()]

    def _describe_resources(self, form: Json) -> Json:
        self._check(form)
        wanted = form.get("LogicalResourceId")
        found = [item for item in self._detailed() if wanted in (None, item["LogicalResourceId"])]
        return {"StackResources": found}

    def _describe_resource(self, form: Json) -> Json:
        found = self._describe_resources(form)["StackResources"]
        if not found:
            raise StackMissing(f"Resource {form.get('LogicalResourceId')} does not exist for stack {self._deployment.stack_name}")
        return {"StackResourceDetail": {**found[0], "LastUpdatedTimestamp": self._created}}

    def _list_resources(self, form: Json) -> Json:
        self._check(form)
        extra = {"ResourceStatus": STATUS, "LastUpdatedTimestamp": self._created}
        return {"StackResourceSummaries": [{**resource, **extra} for resource in self._resources()]}

    def _list_stacks(self, form: Json) -> Json:
        return {"StackSummaries": [self._summary()]}

    def _get_template(self, form: Json) -> Json:
        self._check(form)
        return {"TemplateBody": self._deployment.template.source, "StagesAvailable": ["Original", "Processed"]}

    def _describe_events(self, form: Json) -> Json:
        self._check(form)
        events = [{**item, "EventId": str(uuid.uuid4())} for item in self._detailed()]
        return {"StackEvents": events[::-1]}
