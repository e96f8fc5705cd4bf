"""Runs handlers in this process against AWS's answers that were recorded once from moto: what remains is our code and botocore's.

An answer belongs to an operation, not to a position, and time passes only in the pauses of a handler. So a busy machine
changes what a run costs, and not what it does.
"""

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
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
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
# In the order in which one image passes through them. The functions that it does not pass through stand where its record allows.
ORDER = (
    "start_analysis",
    "record_interruption",
    "validate_image",
    "detect_labels",
    "detect_moderation",
    "detect_text",
    "store_analysis",
    "evaluate_watchlist",
    "evaluate_page",
    "send_alert",
    "send_digest",
    "check_channels",
    "reconcile_images",
    "record_alert_failure",
    "record_rejection",
    "record_failure",
    "check_sign_up",
    "index_changes",
    "api_uploads",
    "api_images",
    "api_labels",
    "api_watchlist",
    "api_alerts",
    "api_channels",
    "api_stats",
    "api_export",
    "api_me",
    "api_root",
)
ONE_IMAGE = ("start_analysis", "validate_image", "detect_labels", "detect_moderation", "store_analysis", "evaluate_watchlist")
_REKOGNITION = {
    "DetectLabels": labels_answer(LABELS),
    "DetectModerationLabels": moderation_answer(),
    "DetectText": {"TextDetections": [], "TextModelVersion": "3.0"},
}
Event = dict[str, Any]
Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


class Clock:
    """The time that handlers read through `imagewatch.timestamps`. Only their own pauses move it."""

    def __init__(self, microseconds: int) -> None:
        self.microseconds = microseconds

    def now(self) -> int:
        """Microseconds since the epoch."""
        return self.microseconds

    def pause(self, seconds: float) -> None:
        self.microseconds += round(seconds * 1_000_000)


@dataclass
class Recording:
    """One function's run: its event, environment and time, its calls (service, method, arguments) and AWS's answers."""

    module: str
    event: Event
    environment: Mapping[str, str]
    begun_at: int
    """The clock's microseconds when the function started."""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    """By operation, such as "dynamodb.UpdateItem", in the order of its calls."""

    @property
    def services(self) -> list[str]:
        """The services in the order in which the function first needs them."""
        return list(dict.fromkeys(service for service, _, _ in self.calls))


class Wire:
    """The place that every client's requests pass through. They are recorded or replayed, and never sent."""

    def __init__(self) -> None:
        self._recording: Recording | None = None
        self._replayed: Counter[str] | None = None

    def attach(self, client: Any) -> None:
        """Records the client's calls, and answers them."""
        client.meta.events.register("provide-client-params.*.*", self._called)
        self.answer(client)

    def answer(self, client: Any) -> None:
        """Answers the client's calls, without recording them."""
        client.meta.events.register_first("before-send.*.*", self._sent)

    @contextlib.contextmanager
    def recording(self, recording: Recording) -> Iterator[None]:
        """Records the calls of the block, with moto's answers."""
        self._recording = recording
        try:
            yield
        finally:
            self._recording = None

    @contextlib.contextmanager
    def replaying(self, recording: Recording) -> Iterator[None]:
        """Gives the recorded answers to the calls of the block."""
        self._recording, self._replayed = recording, Counter()
        try:
            yield
        finally:
            self._recording = self._replayed = None

    def _called(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self._recording is not None and self._replayed is None:
            service = model.service_model.service_name
            self._recording.calls.append((service, xform_name(model.name), dict(params)))

    def _sent(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        if self._recording is None:
            raise RuntimeError("A call was made outside of a run.")
        operation = event_name.removeprefix("before-send.")
        if self._replayed is not None:
            return _response(request.url, *self._replay(self._recording, self._replayed, operation))
        answer = _moto_answer(request, operation)
        self._recording.answers.setdefault(operation, []).append(answer)
        return _response(request.url, *answer)

    @staticmethod
    def _replay(recording: Recording, replayed: Counter[str], operation: str) -> Answer:
        """The next answer of the operation. A call more than was recorded gets the last answer once more."""
        answers = recording.answers.get(operation)
        if not answers:
            raise RuntimeError(f"{recording.module} never called {operation} while it was recorded, so there is no answer to it.")
        replayed[operation] += 1
        return answers[min(replayed[operation], len(answers)) - 1]


def _moto_answer(request: Any, operation: str) -> Answer:
    service, _, name = operation.partition(".")
    if service == "rekognition":
        content = json.dumps(_REKOGNITION[name]).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(content))}, content
    answered = botocore_stubber.process_request(request)
    if answered is None:
        raise RuntimeError(f"moto has no answer to {operation}.")
    status, headers, body = answered
    return status, dict(headers), body.encode() if isinstance(body, str) else body


class _Raw(io.BytesIO):
    """A body as urllib3 passes it to botocore."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        if rest := self.read():
            yield rest


def _response(url: str, status: int, headers: Mapping[str, str], content: bytes) -> AWSResponse:
    fields = HTTPHeaders()
    for name, value in headers.items():
        fields[name] = value
    return AWSResponse(url, status, fields, _Raw(content))


class Bench:
    """Recordings of all functions, which can be run any number of times."""

    def __init__(self, wire: Wire, clock: Clock, recordings: dict[str, Recording], bare: dict[str, Any]) -> None:
        self._wire = wire
        self._clock = clock
        self._bare = bare
        self.recordings = recordings

    def handler_seconds(self, name: str) -> float:
        """CPU seconds of one run of the handler, with AWS's answers replayed."""
        recording = self.recordings[name]
        handler = importlib.import_module(recording.module).handler
        self._clock.microseconds = recording.begun_at
        with environment(recording.environment), self._wire.replaying(recording), _no_collection():
            begun = time.process_time()
            handler(recording.event, CONTEXT)
            return time.process_time() - begun

    def calls_seconds(self, name: str) -> float:
        """CPU seconds of the same AWS calls made by bare clients, one after the other: the floor."""
        recording = self.recordings[name]
        with self._wire.replaying(recording), _no_collection():
            begun = time.process_time()
            for service, method, arguments in recording.calls:
                with contextlib.suppress(self._bare[service].exceptions.ClientError):  # a condition that did not hold
                    answer = getattr(self._bare[service], method)(**arguments)
                    if method == "get_object":
                        answer["Body"].read()
            return time.process_time() - begun


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Collects garbage before the block and not within it."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def recorded() -> Iterator[Bench]:
    """Deploys the template on moto, runs each function once on its sample event, and records its calls and answers."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with (
        environment({**keys, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}),
        _log() as log,
        mock_aws(),
        _clock() as clock,
    ):
        logging.getLogger("botocore").setLevel(logging.CRITICAL)
        deployment = _deployed()
        from imagewatch.aws import clients

        wire = Wire()
        clients.client.cache_clear()
        for service in ("dynamodb", "rekognition", "s3", "sns", "ssm", "stepfunctions"):
            wire.attach(clients.client(service))
        botocore_stubber.enabled = False  # from here on moto answers only the wire
        try:
            recordings = _Recorder(deployment, wire, clock).all()
        except Exception as error:
            error.add_note(f"The log of the functions ends:\n{log.getvalue()[-3000:]}")
            raise
        services = {service for recording in recordings.values() for service in recording.services}
        bare = {service: boto3.client(service) for service in services}  # type: ignore[call-overload]
        for client in bare.values():
            wire.answer(client)
        gc.collect()
        gc.freeze()  # what moto keeps is not collected again before each run
        try:
            yield Bench(wire, clock, recordings, bare)
        finally:
            gc.unfreeze()
            clients.client.cache_clear()


@contextlib.contextmanager
def _log() -> Iterator[io.StringIO]:
    """Receives what the functions print and log within the block."""
    from imagewatch.observability import logger

    handler = logger.registered_handler
    with contextlib.redirect_stdout(io.StringIO()) as log:
        before = handler.setStream(log) if isinstance(handler, logging.StreamHandler) else None
        try:
            yield log
        finally:
            if before is not None and isinstance(handler, logging.StreamHandler):
                handler.setStream(before)


@contextlib.contextmanager
def _clock() -> Iterator[Clock]:
    from imagewatch import timestamps

    clock = Clock(timestamps.now())
    with mock.patch.multiple(timestamps, now=clock.now, pause=clock.pause):
        yield clock


def _deployed() -> Deployment:
    template = load(TextDetection="on", MaxImagesPerSecond="300")
    # moto ignores the conditions of a bucket policy's Deny.
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
    owner("dynamodb").put_item(TableName=str(deployment.ref("WatchlistTable")), Item=_rule_of_the_sample_page())
    return deployment


def _rule_of_the_sample_page() -> dict[str, Any]:
    """The rule that the sample event of Evaluate Page names, as an item. It applies to no image."""
    from imagewatch.aws.dynamodb import to_item

    rule_id = _sample("evaluate_page")["Run"]["RuleId"]
    term = {"Term": "person", "MinConfidence": 80}
    rule = {"RuleId": rule_id, "Name": "Person at the door", "Enabled": True, "AnyOf": [term], "KeyPrefixes": ["no-such-source/"]}
    return to_item(rule)


class _Recorder:
    """Runs each function once and records it."""

    def __init__(self, deployment: Deployment, wire: Wire, clock: Clock) -> None:
        self._deployment = deployment
        self._wire = wire
        self._clock = clock

    def all(self) -> dict[str, Recording]:
        """Recordings by name, in ORDER. Raises RuntimeError when the sample event starts no execution."""
        started = self._one("start_analysis", _event("start_analysis"))
        inputs = [arguments["input"] for _, method, arguments in started.calls if method == "start_execution"]
        if len(inputs) != 1:
            raise RuntimeError(f"start_analysis started {len(inputs)} executions on its sample event instead of one.")
        execution = json.loads(started.answers["sfn.StartExecution"][-1][2])["executionArn"]
        recordings = {"start_analysis": started}
        for name in ORDER[1:]:
            recordings[name] = self._one(name, _of_execution(_event(name), execution, inputs[0]))
        return recordings

    def _one(self, name: str, event: Event) -> Recording:
        camel = "".join(word.capitalize() for word in name.split("_"))
        function = self._deployment.functions[str(self._deployment.ref(f"{camel}Function"))]
        module, _, attribute = function.handler.rpartition(".")
        recording = Recording(module, event, function.environment, self._clock.now())
        handler = getattr(importlib.import_module(module), attribute)
        with environment(function.environment), self._wire.recording(recording):
            handler(event, CONTEXT)
        return recording


def _of_execution(event: Event, execution: str, started_with: str) -> Event:
    """The event as the execution that was started would send it. `started_with` is the execution's input, as JSON."""
    if isinstance(event.get("detail"), dict) and "executionArn" in event["detail"]:
        return {**event, "detail": {**event["detail"], "executionArn": execution, "input": started_with}}
    changed = {name: value for name, value in {"ExecutionArn": execution}.items() if name in event}
    return {**event, **changed, **({"Image": json.loads(started_with)["image"]} if "Image" in event else {})}


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
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets variables for the block, and restores them after it."""
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
