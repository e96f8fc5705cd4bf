"""The handlers on moto. Tables, buckets, queue and topic are created from template.yaml.

Each function runs in exactly the environment that the template gives it, so a missing variable or index breaks a test here.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from imagewatch.aws import clients, secrets
from imagewatch.aws import stepfunctions as executions
from imagewatch.aws.dynamodb import from_item, to_item
from imagewatch.aws.tables import rules as rules_table
from imagewatch.images.version import ImageVersion, comparable_sequencer
from imagewatch.services import image_store
from local.emulator.moto_patches import dynamodb_speed, dynamodb_transactions
from tests.index_rows import StoredRow, indexed_labels, stored_rows
from tools.sam_template import Resolver, Template, load_template

from .function_environments import FunctionEnvironments

if TYPE_CHECKING:
    from .alerting import VirtualClock, Wire
    from .receiver import Receiver

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
CONTEXT = SimpleNamespace(
    aws_request_id="request-1",
    function_name="function-under-test",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function-under-test",
    get_remaining_time_in_millis=lambda: 90_000,
)
Event = dict[str, Any]


@dataclass
class Stack:
    """The deployed resources that handlers use, and the handlers."""

    template: Template
    exits: ExitStack
    """Closed at the end of the test."""
    names: dict[str, str] = field(default_factory=dict)
    clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def environments(self) -> FunctionEnvironments:
        return FunctionEnvironments(self.template, self.resolve)

    def name(self, logical_id: str) -> str:
        return self.names.get(logical_id, logical_id)

    def resolve(self, value: Any) -> Any:
        attributes = {"Arn": lambda logical_id: f"arn:aws:local:::{logical_id}"}
        return Resolver(
            self.template,
            REGION,
            self.name,
            lambda logical_id, name: attributes.get(name, lambda i: f"{i}.{name}")(logical_id),
            stack_name="imagewatch",
        ).resolve(value)

    def handler(self, function: str) -> Callable[[Event], Any]:
        """The handler of one of the template's functions. Each call sets that function's environment and restores it."""
        module, _, attribute = self.template.resources[f"{function}Function"]["Properties"]["Handler"].rpartition(".")
        function_handler = getattr(importlib.import_module(module), attribute)

        def invoke(event: Event) -> Any:
            with self.environments.of(function):
                return function_handler(event, CONTEXT)

        return invoke

    def environment(self, function: str, **changes: str) -> AbstractContextManager[None]:
        """A function's environment for a block that calls its code without its handler; `changes` replaces variables."""
        return self.environments.of(function, **changes)

    def use_environment(self, function: str, **changes: str) -> None:
        """Sets a function's environment until the end of the test, for code that is called without its handler."""
        self.exits.enter_context(self.environments.of(function, **changes))

    def client(self, service: str) -> Any:
        """A client for the test itself. Clients are cached, because creating one is slow."""
        if service not in self.clients:
            self.clients[service] = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
        return self.clients[service]

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.name(table))
        return [from_item(item) for page in pages for item in page["Items"]]

    def rows(self) -> list[StoredRow]:
        return stored_rows(self.items("SearchIndexTable"))

    def labels(self) -> list[str]:
        """The labels that have index rows for those who see everything."""
        return indexed_labels(self.items("SearchIndexTable"))

    def put_item(self, table: str, item: dict[str, Any]) -> None:
        self.client("dynamodb").put_item(TableName=self.name(table), Item=to_item(item))

    def record(self, image_id: str) -> dict[str, Any] | None:
        item = self.client("dynamodb").get_item(TableName=self.name("ImagesTable"), Key={"ImageId": {"S": image_id}})
        return from_item(item["Item"]) if "Item" in item else None

    def keys(self, bucket: str) -> list[str]:
        listed = self.client("s3").list_objects_v2(Bucket=self.name(bucket))
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def mailbox(self) -> list[str]:
        """Bodies of the messages published to the alerts topic."""
        received = []
        queue = self.name("MailboxQueue")
        while messages := self.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            received += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                self.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return received


@pytest.fixture(scope="session")
def template() -> Template:
    return load_template(ROOT / "template.yaml", {})


@pytest.fixture
def stack(template: Template, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "CHANNEL_NETWORKS": "127.0.0.0/8",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        clients.client.cache_clear()
        rules_table.clear_cache()
        with ExitStack() as exits:
            stack = Stack(template, exits)
            _create(stack)
            yield stack
        clients.client.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def quick_moto() -> Iterator[None]:
    """moto's DynamoDB with the emulator's faster implementation, which has the same results."""
    restores = [dynamodb_speed.install(), dynamodb_transactions.install()]
    yield
    for restore in reversed(restores):
        restore()


def _create(stack: Stack) -> None:
    for logical_id, resource in stack.template.resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::DynamoDB::Table":
            wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            definition = {name: properties[name] for name in wanted if name in properties}
            stack.client("dynamodb").create_table(TableName=logical_id, **definition)
        elif resource["Type"] == "AWS::S3::Bucket":
            bucket = stack.names[logical_id] = stack.resolve(properties["BucketName"])
            stack.client("s3").create_bucket(Bucket=bucket)
            if "VersioningConfiguration" in properties:
                stack.client("s3").put_bucket_versioning(
                    Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"]
                )
        elif resource["Type"] == "AWS::SNS::Topic":
            stack.names[logical_id] = stack.client("sns").create_topic(Name=logical_id)["TopicArn"]
    _create_workflow(stack)
    _create_mailbox(stack)


def _create_workflow(stack: Stack) -> None:
    machine = stack.client("stepfunctions").create_state_machine(
        name="AnalyzeImageStateMachine",
        definition='{"StartAt": "Wait", "States": {"Wait": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/workflow",
    )
    stack.names["AnalyzeImageStateMachine"] = machine["stateMachineArn"]


def _create_mailbox(stack: Stack) -> None:
    sqs = stack.client("sqs")
    queue = stack.names["MailboxQueue"] = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stack.client("sns").subscribe(TopicArn=stack.name("AlertsTopic"), Protocol="sqs", Endpoint=arn)


def sample_event(name: str) -> Event:
    """A copy of one of events/*.json."""
    event: Event = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return event


@pytest.fixture
def sample() -> Callable[[str], Event]:
    return sample_event


@pytest.fixture
def uploaded(stack: Stack) -> Event:
    """Uploads the sample events' image; its state form with the version id that S3 assigned."""
    image: Event = sample_event("validate_image")["Image"]
    body = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
    answer = stack.client("s3").put_object(Bucket=stack.name("ImagesBucket"), Key=image["Key"], Body=body)
    return {**image, "VersionId": answer["VersionId"]}


def leased(stack: Stack, image: Event) -> Event:
    """Creates the image's record as Start Analysis does: leased for this version, ANALYZING."""
    version = ImageVersion.from_state(image)
    with stack.environment("StartAnalysis"):
        links = executions.links(version.execution_name())
        image_store.acquire_lease(version, {**links, "ReceivedAt": "2026-11-20T09:30:16.000Z"})
    return image


@pytest.fixture
def announced(stack: Stack, uploaded: Event) -> Event:
    """The uploaded image, with its record leased."""
    return leased(stack, uploaded)


def newer(image: Event) -> Event:
    """A later version of the same image."""
    state = {**image, "VersionId": "a-later-version", "Sequencer": comparable_sequencer("0065A1B2C3D4E5F602"), "ETag": "later"}
    return ImageVersion.from_state(state).to_state()


@pytest.fixture
def rekognition(stack: Stack) -> Iterator[Stubber]:
    """Rekognition gives the answers that the test adds. A call without an answer fails."""
    with Stubber(clients.client("rekognition")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def send(stack: Stack) -> Any:
    """Send Alert, as a function of its event."""
    return stack.handler("SendAlert")


@pytest.fixture
def wire(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The calls to AWS of the test, from now on."""
    from .alerting import Wire

    return Wire(monkeypatch)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """The time of the application, which passes only where the test says so."""
    from .alerting import VirtualClock

    return VirtualClock(monkeypatch)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that channels of the kinds slack and webhook can post to."""
    from .receiver import listening

    with listening() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _fresh_secrets() -> None:
    """Functions keep secrets in memory for minutes."""
    secrets.clear_cache()
