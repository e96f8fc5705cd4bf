"""Every AWS call that a handler can reach is allowed by its role, also a call on a race that no test produces.

The mutation test in tests/integration/test_least_privilege.py finds permissions that no call needs; this finds missing ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from tools.sam_template import Template

from .call_graph import AwsCall, CallGraph
from .conftest import ROOT, functions

HANDLERS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
# Source: Service Authorization Reference. Every other operation needs the action of the same name.
ACTIONS = {
    ("dynamodb", "transact_write_items"): "dynamodb:UpdateItem",  # of the updates in it: "Using IAM with DynamoDB transactions"
    ("s3", "head_object"): "s3:GetObject",
    ("s3", "delete_objects"): "s3:DeleteObject",
    ("s3", "list_objects_v2"): "s3:ListBucket",
    ("s3", "list_object_versions"): "s3:ListBucketVersions",
    ("lambda", "invoke"): "lambda:InvokeFunction",
}
PREFIXES = {"stepfunctions": "states"}
NO_CALLS = {"exceptions", "get_paginator", "generate_presigned_url", "generate_presigned_post", "meta"}
NO_PERMISSION = {("cognito-idp", "delete_user")}  # the access token is the permission
# Allowed without a call in the source: the platform's calls, and what S3 and Rekognition check with the caller's permissions.
WITHOUT_A_CALL = {
    "start_analysis": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "s3:ListBucket"},
    "validate_image": {"s3:GetObjectVersion", "s3:ListBucket"},
    "detect_labels": {"s3:GetObject", "s3:GetObjectVersion"},
    "detect_moderation": {"s3:GetObject", "s3:GetObjectVersion"},
    "detect_text": {"s3:GetObject", "s3:GetObjectVersion"},
    # Forms and links act with the role of the function that signs them. Versions are deleted by DeleteObjects.
    "api_uploads": {"s3:PutObject"},
    "api_images": {"s3:GetObjectVersion", "s3:DeleteObjectVersion", "s3:ListBucket"},
    "api_me": {"s3:DeleteObjectVersion"},
}

# The graph takes `items()` of any mapping for the method of the library's reader. These two functions only query counts.
BY_NAME_ONLY = {name: {("dynamodb:BatchGetItem", "SearchIndexTable")} for name in ("api_labels", "api_stats")}


@pytest.fixture(scope="module")
def graph() -> CallGraph:
    return CallGraph(ROOT / "functions")


@pytest.fixture(scope="module")
def operations() -> dict[str, dict[str, str]]:
    """Each service's operations by the name of the client's method."""
    found = {}
    for service in ("dynamodb", "s3", "sns", "ssm", "sqs", "stepfunctions", "rekognition", "lambda"):
        model = boto3.client(service, region_name="us-east-1").meta.service_model
        found[service] = {xform_name(name): name for name in model.operation_names}
    return found


def needed(call: AwsCall, operations: dict[str, dict[str, str]]) -> str:
    if (call.service, call.method) in ACTIONS:
        return ACTIONS[call.service, call.method]
    return f"{PREFIXES.get(call.service, call.service)}:{operations[call.service][call.method]}"


def allowed(template: Template, function: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(action, resource as JSON) of each statement of the function's role."""
    role = template.resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            for action in actions if isinstance(actions, list) else [actions]:
                yield action, json.dumps(statement["Resource"])


@dataclass(frozen=True)
class Permissions:
    """What a handler's code needs, as (action, table's logical id or ""), and its role's (action, resource as JSON)."""

    needed: set[tuple[str, str]]
    allowed: list[tuple[str, str]]

    @property
    def missing(self) -> set[tuple[str, str]]:
        return {
            (action, table)
            for action, table in self.needed
            if not any(action == one and table in resource for one, resource in self.allowed)
        }

    @property
    def unused(self) -> set[str]:
        return {
            action
            for action, resource in self.allowed
            if not any(action == one and table in resource for one, table in self.needed)
        }


@pytest.fixture(params=HANDLERS)
def handler(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def permissions(handler: str, graph: CallGraph, template: Template, operations: dict[str, dict[str, str]]) -> Permissions:
    logical_id = "".join(word.capitalize() for word in handler.split("_")) + "Function"
    function = functions(template)[logical_id]
    variables = function.get("Environment", {}).get("Variables", {})
    calls = [call for call in graph.aws_calls(handler) if call.method not in NO_CALLS]
    calls = [call for call in calls if (call.service, call.method) not in NO_PERMISSION]
    return Permissions(
        {(needed(call, operations), variables[call.table]["Ref"] if call.table else "") for call in calls},
        list(allowed(template, function)),
    )


def test_a_role_allows_every_call_that_its_handler_can_reach(handler: str, permissions: Permissions) -> None:
    assert permissions.missing == BY_NAME_ONLY.get(handler, set())


def test_the_graph_reaches_every_call_that_a_role_allows(handler: str, permissions: Permissions) -> None:
    """Without this, an edge that the graph doesn't see would hide a missing permission."""
    assert permissions.unused == WITHOUT_A_CALL.get(handler, set())


def test_the_graph_finds_calls_behind_helpers_methods_and_variables(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "from tables import Sender, SENDERS, rows\n\ndef handler(event, context):\n"
        "    rows.change()\n    Sender().send()\n    return SENDERS[event['kind']]()\n",
        encoding="utf-8",
    )
    package = tmp_path / "tables"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from tables.aws import client, setting\n\nclass Sender:\n    def send(self):\n        client('sns').publish()\n"
        "    def unused(self):\n        client('sns').subscribe()\n\n"
        "def by_mail():\n    client('s3').get_object(Bucket=setting('IMAGES_BUCKET'))\n\nSENDERS = {'email': by_mail}\n",
        encoding="utf-8",
    )
    (package / "aws.py").write_text("def update(table):\n    client('dynamodb').update_item(TableName=table)\n", encoding="utf-8")
    (package / "rows.py").write_text(
        "from tables import aws\n\ndef change():\n    _write(setting('ROWS_TABLE'))\n\n"
        "def _write(table):\n    aws.update(table)\n\n"
        "def never():\n    client('dynamodb').scan(TableName=setting('ROWS_TABLE'))\n",
        encoding="utf-8",
    )
    assert CallGraph(tmp_path).aws_calls("job") == {
        AwsCall("dynamodb", "update_item", "ROWS_TABLE"),
        AwsCall("sns", "publish"),
        AwsCall("s3", "get_object"),
    }
