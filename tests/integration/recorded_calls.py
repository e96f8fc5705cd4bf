"""Deploys the template on moto and records every signed HTTP request that a handler sends."""

from __future__ import annotations

import functools
import importlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from moto.core.config import default_user_config
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from imagewatch import timestamps
from imagewatch.aws import clients, secrets
from imagewatch.aws.dynamodb import to_item
from imagewatch.aws.tables import rules as rules_table
from local.emulator.cloudformation import Deployment
from local.emulator.gateway.call import Call
from local.emulator.gateway.identification import identify
from tools.sam_template import load_template

from .conftest import CONTEXT, REGION, ROOT, Event, sample_event
from .receiver import Receiver, listening

PARAMETERS = {
    "TextDetection": "on",
    "MaxImagesPerSecond": "300",
    "AlertEmail": "operator@example.com",
    "MaxAlertsPerSecond": "9",
}
# moto has no DetectModerationLabels. Each operation answers as Rekognition does when it finds nothing.
_REKOGNITION: Mapping[str, Event] = {
    "DetectLabels": {"Labels": [], "LabelModelVersion": "3.0"},
    "DetectModerationLabels": {"ModerationLabels": [], "ModerationModelVersion": "7.0"},
    "DetectText": {"TextDetections": [], "TextModelVersion": "3.0"},
}

# What Check Channels returns to its callers. moto would run it in a container.
_CHECKED = {"Channels": [{"ChannelId": "email", "Kind": "email", "Outcome": "SENT", "Id": "message-1"}]}


@dataclass
class Sent:
    """One request, identified, and the status of its answer."""

    call: Call
    status: int = 0

    @property
    def found_nothing(self) -> bool:
        """Whether S3 answered 404, for which the caller needs another permission."""
        return self.status == 404 and self.call.when_missing is not None


class Recorder:
    """Replaces boto3 in `imagewatch.aws.clients`. Its clients record every request under the function that sends it."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Sent]] = defaultdict(list)
        self.interludes: dict[str, Callable[[], Any]] = {}
        """Actions that follow the next answer to an operation, by the operation's name."""
        self._function = ""

    def client(self, service: str, **arguments: Any) -> Any:
        made = boto3.client(service, **arguments)  # type: ignore[call-overload]
        made.meta.events.register_first("before-send", self._send)
        made.meta.events.register("response-received", self._answered)
        return made

    @contextmanager
    def at_work(self, function: str) -> Iterator[None]:
        self._function = function
        self.sent.setdefault(function, [])  # also a function that sends nothing was at work
        try:
            yield
        finally:
            self._function = ""

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        url = urlsplit(request.url)
        body = request.body.encode() if isinstance(request.body, str) else request.body
        call = identify(
            str(request.method),
            url.netloc,
            url.path,
            url.query,
            {name: _text(value) for name, value in request.headers.items()},
            bytes(body) if isinstance(body, bytes | bytearray) else b"",
        )
        self.sent[self._function].append(Sent(call))
        if call.service not in ("rekognition", "lambda"):
            return None
        answer = json.dumps(_REKOGNITION[call.operation] if call.service == "rekognition" else _CHECKED)
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.1"}, MockRawResponse(answer))

    def _answered(self, response_dict: Event | None, exception: Exception | None, **_: Any) -> None:
        if response_dict is None:
            raise AssertionError("a request could not be answered") from exception
        made = self.sent[self._function][-1]
        made.status = response_dict["status_code"]
        self.interludes.pop(made.call.operation, lambda: None)()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Account:
    """An account with the deployed template: its resources, and its functions in their environments."""

    def __init__(self, deployment: Deployment, recorder: Recorder, receiver: Receiver) -> None:
        self.deployment = deployment
        self.recorder = recorder
        self.receiver = receiver
        """Receives what the account's channels send."""
        self._announced = 0

    def client(self, service: str) -> Any:
        return self.deployment.client(service)

    def ref(self, logical_id: str) -> str:
        return str(self.deployment.ref(logical_id))

    def arn(self, logical_id: str) -> str:
        return str(self.deployment.attribute(logical_id, "Arn"))

    def run(self, name: str, event: Event) -> Any:
        """Calls the handler of `<name>Function` in exactly the template's environment, with empty caches."""
        secrets.clear_cache()
        rules_table.clear_cache()
        function = self.deployment.functions[self.ref(f"{name}Function")]
        module, _, attribute = function.handler.rpartition(".")
        handler = getattr(importlib.import_module(module), attribute)
        with pytest.MonkeyPatch.context() as environment, self.recorder.at_work(f"{name}Function"):
            for variable, value in function.environment.items():
                environment.setenv(variable, value)
            environment.setenv("CHANNEL_NETWORKS", "127.0.0.0/8")  # where the receiver is
            return handler(event, CONTEXT)

    def task(self, name: str, image: Event, **fields: Any) -> Any:
        """Runs a task's function on its sample event, with this image and these fields."""
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")
        return self.run(name, {**sample_event(snake), "Image": image, **fields})

    def upload(self, key: str, sample: str = "astronaut-portrait.jpg") -> Event:
        """Uploads a sample to the images bucket; returns the object part of S3's event."""
        body = (ROOT / "samples" / sample).read_bytes()
        answer = self.client("s3").put_object(Bucket=self.ref("ImagesBucket"), Key=key, Body=body)
        return {"key": key, "versionId": answer["VersionId"], "eTag": answer["ETag"].strip('"'), "size": len(body)}

    def announce(self, found: Event, name: str = "ObjectCreated:Put", **changes: Any) -> Event:
        """Sends S3's event about an object to Start Analysis; returns the image of the execution that it starts, or {}."""
        self._announced += 1
        record = json.loads(sample_event("start_analysis")["Records"][0]["body"])["Records"][0]
        record["eventName"] = name
        record["s3"]["bucket"]["name"] = self.ref("ImagesBucket")
        record["s3"]["object"] = {**found, "key": quote_plus(found["key"]), "sequencer": f"{self._announced:016X}", **changes}
        known = self._executions()
        answer = self.run("StartAnalysis", {"Records": [{"messageId": "m", "body": json.dumps({"Records": [record]})}]})
        assert answer == {"batchItemFailures": []}
        started = [self.client("stepfunctions").describe_execution(executionArn=arn) for arn in self._executions() - known]
        image: Event = json.loads(started[0]["input"])["image"] if started else {}
        return image

    def _executions(self) -> set[str]:
        machine = self.ref("AnalyzeImageStateMachine")
        listed = self.client("stepfunctions").list_executions(stateMachineArn=machine)
        return {execution["executionArn"] for execution in listed["executions"]}

    def watch(self, term: str, *channels: str, **more: Any) -> None:
        rule = {"RuleId": term, "Name": term, "Enabled": True, "Channels": list(channels)}
        rule |= {"AnyOf": [{"Term": term, "MinConfidence": 50}], **more}
        self.client("dynamodb").put_item(TableName=self.ref("WatchlistTable"), Item=to_item(rule))

    def add_channel(self, channel_id: str, kind: str) -> None:
        """Adds a Slack channel or webhook with the receiver's address."""
        name, url = f"/imagewatch/imagewatch/channels/{channel_id}", self.receiver.url(f"/{channel_id}")
        self.client("ssm").put_parameter(Name=name, Value=url, Type="SecureString", Overwrite=True)
        record = {"ChannelId": channel_id, "Kind": kind, "Enabled": True, "Status": "ok", "Url": url, "SecretParameter": name}
        self.client("dynamodb").put_item(TableName=self.ref("ChannelsTable"), Item=to_item(record))

    def follow_picture_links(self, function: str) -> int:
        """Records Slack's requests for the linked pictures under the function that signed the links; returns their number."""
        slack = [json.loads(got.body) for got in self.receiver.received if got.path == "/ops" and got.body != b"{}"]
        links = [block["image_url"] for payload in slack for block in payload["blocks"] if block["type"] == "image"]
        for link in links:
            url = urlsplit(link)
            call = identify("GET", url.netloc, url.path, url.query, {}, b"")
            self.recorder.sent[f"{function}Function"].append(Sent(call, 200))
        self.receiver.received.clear()
        return len(links)

    def follow(self, function: str, *links: str) -> None:
        """Records requests with links that a function has signed: S3 checks the permissions of its role."""
        for link in links:
            url = urlsplit(link)
            call = identify("GET", url.netloc, url.path, url.query, {}, b"")
            self.recorder.sent[f"{function}Function"].append(Sent(call, 200))

    def use_form(self, function: str, form: Event) -> None:
        """Records an upload with a form that a function has signed, as the PutObject that S3 checks."""
        url = urlsplit(form["Url"])
        call = identify("PUT", url.netloc, f"/{form['Fields']['key']}", "", {}, b"")
        self.recorder.sent[f"{function}Function"].append(Sent(call, 200))

    @contextmanager
    def later(self, hours: int) -> Iterator[None]:
        """Moves the time that functions read forward by `hours` for the block."""
        with pytest.MonkeyPatch.context() as patch:
            now = timestamps.now
            patch.setattr(timestamps, "now", lambda: now() + hours * 3600 * timestamps.SECOND)
            yield


@contextmanager
def deployed() -> Iterator[Account]:
    """Deploys the real template on moto for the block. The handlers' requests are recorded, and moto answers them."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with pytest.MonkeyPatch.context() as patch, mock_aws(), listening() as receiver:
        for name, value in {**keys, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}.items():
            patch.setenv(name, value)
        patch.setitem(default_user_config["core"]["passthrough"], "services", ["rekognition"])  # type: ignore[typeddict-item]
        patch.setitem(default_user_config["lambda"], "use_docker", False)
        # moto ignores the conditions of a bucket policy's Deny. Permissions are evaluated by local.emulator.iam.evaluation.
        patch.setattr(FakeBucket, "get_permission", lambda bucket, action, resource: PermissionResult.NEUTRAL)
        recorder = Recorder()
        patch.setattr(clients, "boto3", SimpleNamespace(client=recorder.client))
        clients.client.cache_clear()
        owner = functools.cache(lambda service: boto3.client(service, region_name=REGION))  # type: ignore[call-overload]
        template = load_template(ROOT / "template.yaml", PARAMETERS)
        deployment = Deployment(template, "imagewatch", REGION, f"https://sqs.{REGION}.amazonaws.com", owner)
        deployment.deploy()
        yield Account(deployment, recorder, receiver)
        clients.client.cache_clear()
