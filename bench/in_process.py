"""Handlers in this process, with AWS's answers recorded once from moto and replayed: what remains is our code and botocore's."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from moto.core.models import botocore_stubber

from bench.answers import labels_answer, moderation_answer
from bench.deployed_template import load
from local.emulator.cloudformation import Deployment

ROOT = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
CONTEXT = SimpleNamespace(
    aws_request_id="00000000-0000-4000-8000-000000000000",
    function_name="bench",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench",
    get_remaining_time_in_millis=lambda: 50_000,
)
LABELS = 30
# In the order in which one image meets them; the endings that it doesn't meet come where the record allows them.
ORDER = (
    "start_analysis",
    "record_interruption",
    "validate_image",
    "detect_labels",
    "detect_moderation",
    "detect_text",
    "store_analysis",
    "evaluate_watchlist",
    "send_alert",
    "record_rejection",
    "record_failure",
)
ONE_IMAGE = ("start_analysis", "validate_image", "detect_labels", "detect_moderation", "store_analysis", "evaluate_watchlist")
_REKOGNITION = {
    "DetectLabels": labels_answer(LABELS),
    "DetectModerationLabels": moderation_answer(),
    "DetectText": {"TextDetections": [], "TextModelVersion": "3.0"},
}
Event = dict[str, Any]


@dataclass
class Recording:
    """One function's run: its event and environment, the calls that it made (service, method, arguments) and AWS's answers."""

    module: str
    event: Event
    environment: Mapping[str, str]
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def services(self) -> list[str]:
        """The services in the order in which the function first needs them."""
        return list(dict.fromkeys(service for service, _, _ in self.calls))


class _Wire:
    """What every client's requests go through: recorded or replayed, and never sent."""

    def __init__(self) -> None:
        self.recording: Recording | None = None
        self.next: int | None = None

    def attach(self, client: Any) -> None:
        client.meta.events.register("provide-client-params.*.*", self._called)
        client.meta.events.register_first("before-send.*.*", self._sent)

    def _called(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self.recording is not None and self.next is None:
            service = model.service_model.service_name
            self.recording.calls.append((service, xform_name(model.name), dict(params)))

    def _sent(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        if self.recording is None:
            raise RuntimeError("a call outside of a run")
        if self.next is None:
            self.recording.answers.append(self._answer(request, event_name))
            return _response(request.url, *self.recording.answers[-1])
        self.next += 1
        return _response(request.url, *self.recording.answers[self.next - 1])

    @staticmethod
    def _answer(request: Any, event_name: str) -> tuple[int, dict[str, str], bytes]:
        operation = event_name.rsplit(".", 1)[-1]
        if operation in _REKOGNITION:
            content = json.dumps(_REKOGNITION[operation]).encode()
            return 200, {"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(content))}, content
        answered = botocore_stubber.process_request(request)
        if answered is None:
            raise RuntimeError(f"moto has no answer to {event_name}")
        status, headers, body = answered
        return status, dict(headers), body.encode() if isinstance(body, str) else body


class _Raw(io.BytesIO):
    """A body as urllib3 hands it to botocore."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        if rest := self.read():
            yield rest


def _response(url: str, status: int, headers: dict[str, str], content: bytes) -> AWSResponse:
    return AWSResponse(url, status, headers, _Raw(content))


class Bench:
    """All functions recorded, ready to be run again and again."""

    def __init__(self, wire: _Wire, recordings: dict[str, Recording], bare: dict[str, Any]) -> None:
        self._wire = wire
        self._bare = bare
        self.recordings = recordings

    def handler_seconds(self, name: str) -> float:
        """CPU seconds of one run of the handler, with AWS's answers replayed."""
        recording = self.recordings[name]
        handler = importlib.import_module(recording.module).handler
        with _environment(recording.environment), self._replaying(recording):
            begun = time.process_time()
            handler(recording.event, CONTEXT)
            return time.process_time() - begun

    def calls_seconds(self, name: str) -> float:
        """CPU seconds of the same AWS calls made by bare clients, one after the other: the floor."""
        recording = self.recordings[name]
        with self._replaying(recording):
            begun = time.process_time()
            for service, method, arguments in recording.calls:
                with contextlib.suppress(self._bare[service].exceptions.ClientError):  # a condition that didn't hold
                    answer = getattr(self._bare[service], method)(**arguments)
                    if method == "get_object":
                        answer["Body"].read()
            return time.process_time() - begun

    @contextlib.contextmanager
    def _replaying(self, recording: Recording) -> Iterator[None]:
        self._wire.recording, self._wire.next = recording, 0
        gc.collect()
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            self._wire.recording = self._wire.next = None


@contextlib.contextmanager
def recorded() -> Iterator[Bench]:
    """The template deployed on moto, every function run once on its sample event, and its calls kept for replaying."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with (
        _environment({**keys, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}),
        contextlib.redirect_stdout(io.StringIO()),
        mock_aws(),
    ):
        logging.getLogger("botocore").setLevel(logging.CRITICAL)
        deployment = _deployed()
        from imagewatch.aws import clients

        wire = _Wire()
        for service in ("dynamodb", "rekognition", "s3", "sns", "stepfunctions"):
            wire.attach(clients.client(service))
        botocore_stubber.enabled = False  # from here on moto answers only where the wire asks it
        recordings = _all_recorded(deployment, wire)
        bare = {service: boto3.client(service) for r in recordings.values() for service in r.services}  # type: ignore[call-overload]
        for client in bare.values():
            client.meta.events.register_first("before-send.*.*", wire._sent)
        yield Bench(wire, recordings, bare)


def _deployed() -> Deployment:
    template = load(TextDetection="on", MaxImagesPerSecond="1000")
    # moto applies a bucket policy's Deny without its conditions.
    kept = {name: resource for name, resource in template.resources.items() if resource["Type"] != "AWS::S3::BucketPolicy"}
    template = replace(template, body={**template.body, "Resources": kept})
    clients: dict[str, Any] = {}

    def owner(service: str) -> Any:
        return clients.setdefault(service, boto3.client(service, region_name=REGION))  # type: ignore[call-overload]

    deployment = Deployment(template, "imagewatch", REGION, f"https://sqs.{REGION}.amazonaws.com", owner)
    deployment.deploy()
    image = _sample("validate_image")["Image"]
    body = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
    owner("s3").put_object(Bucket=image["Bucket"], Key=image["Key"], Body=body)
    return deployment


def _all_recorded(deployment: Deployment, wire: _Wire) -> dict[str, Recording]:
    recordings = {"start_analysis": _recorded("start_analysis", _event("start_analysis"), deployment, wire)}
    started = recordings["start_analysis"]
    ((_, _, arguments),) = [call for call in started.calls if call[1] == "start_execution"]
    execution = json.loads(started.answers[-1][2])["executionArn"]
    for name in ORDER[1:]:
        event = _of_execution(_event(name), json.loads(arguments["input"])["image"], execution, arguments["input"])
        recordings[name] = _recorded(name, event, deployment, wire)
    return recordings


def _of_execution(event: Event, image: Event, execution: str, started_with: str) -> Event:
    """The event as the execution that was really started would send it."""
    if "detail" in event:
        return {**event, "detail": {**event["detail"], "executionArn": execution, "input": started_with}}
    return {**event, "Image": image, "ExecutionArn": execution}


def _recorded(name: str, event: Event, deployment: Deployment, wire: _Wire) -> Recording:
    camel = "".join(word.capitalize() for word in name.split("_"))
    function = deployment.functions[str(deployment.ref(f"{camel}Function"))]
    module, _, attribute = function.handler.rpartition(".")
    recording = Recording(module, event, function.environment)
    handler = getattr(importlib.import_module(module), attribute)
    wire.recording = recording
    with _environment(function.environment):
        handler(recording.event, CONTEXT)
    wire.recording = None
    return recording


def _event(name: str) -> Event:
    """The function's sample event, with the findings of an image of LABELS labels where it has findings."""
    from imagewatch.images import findings

    event = _sample(name)
    labels, moderation = findings.labels_found(labels_answer(LABELS)), findings.moderation_found(moderation_answer())
    if name == "store_analysis":
        event["Findings"] = {"Labels": labels, "Moderation": moderation}
    elif name == "evaluate_watchlist":
        event["Findings"] = {"Labels": labels["Labels"], "Moderation": moderation}
    return event


def _sample(name: str) -> Event:
    event: Event = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return event


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: str(value) for name, value in values.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})


if str(ROOT / "functions") not in sys.path:
    sys.path.insert(0, str(ROOT / "functions"))
