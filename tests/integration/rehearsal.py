"""Runs the whole pipeline in one process on moto, one step at a time. A test decides the order, repetitions and crashes.

S3's events are built for real operations on a versioned bucket. The workflow's routing is read from its ASL. Rekognition's
answer depends on the colour of the picture. `at_call` is called before and after each call to AWS.
"""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.exceptions import ClientError
from PIL import Image

from imagewatch import timestamps
from imagewatch.aws import clients
from imagewatch.errors import ImagewatchError, Unavailable

from .conftest import ROOT, Event, Stack, sample_event

READS = {
    "BatchGetItem", "DescribeExecution", "DetectLabels", "DetectModerationLabels", "DetectText", "GetItem", "GetObject",
    "GetParameter", "HeadObject", "ListSubscriptionsByTopic", "Query", "Scan",
}  # fmt: skip
LABELS = {"red": ["Cat", "Animal"], "green": ["Person", "Animal"], "blue": ["Car"]}
RULES = {"people": "Person", "animals": "Animal"}
_RETRIED = {"Crash": "Runtime.ExitError"}  # Step Functions' error when a function's process ends


class Crash(BaseException):
    """The end of a function's process. No handler catches it."""


def picture(colour: str, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 80), colour).save(buffer, kind)
    return buffer.getvalue()


PICTURES = {
    "red": picture("red"),
    "green": picture("green"),
    "blue": picture("blue"),
    "red, converted": picture("red", "WEBP"),
    "text": b"milk, eggs, bread",
    "empty": b"",
}


@dataclass
class Message:
    """A message on the intake queue."""

    body: str
    deliveries: int = 0


class Rehearsal:
    """A stack, the S3 events on its queue, and the executions that it started."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.queue: list[Message] = []
        self.sent: list[Message] = []
        self.executions: dict[str, Execution] = {}
        self.interruptions: list[Event] = []
        self.published: Counter[tuple[str, str]] = Counter()
        """Messages by rule and version id. One message can list several rules."""
        self.messages: Counter[str] = Counter()
        """Messages by version id."""
        self.analyses: dict[str, set[str]] = defaultdict(set)
        """Executions that called Rekognition, by version id."""
        self.denied: set[str] = set()
        """Operations of Rekognition that are refused."""
        self.failing: set[str] = set()
        """Functions that fail at each attempt."""
        self.at_call: Callable[[str, str], None] | None = None
        """Called with "before" or "after" and the call, such as "UpdateItem ImagesTable"."""
        self.at_work: list[str] = []
        """The functions that are running, the innermost last."""
        self._events = 0
        self._about: list[Event] = []
        self.workflow = json.loads((ROOT / "statemachine" / "analyze_image.asl.json").read_text(encoding="utf-8"))
        self.s3, self.bucket = self.stack.client("s3"), self.stack.name("ImagesBucket")
        self._handlers = {}
        for logical_id, resource in self.stack.template.resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                name = logical_id.removesuffix("Function")
                self._handlers[name] = self.stack.handler(name)
        self.stack.environments.change("StartAnalysis", MAX_IMAGES_PER_SECOND="1000000")
        self.stack.environments.change("SendAlert", MAX_ALERTS_PER_SECOND="1000000")
        for service in ("dynamodb", "s3", "sns", "stepfunctions", "rekognition"):
            self._listen(clients.client(service).meta.events)

    # ------------------------------------------------------------------------------------------------------------ S3's side

    def put(self, key: str, name: str) -> str:
        body = PICTURES[name]
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        self._announce("ObjectCreated:Put", key, answer["VersionId"], size=len(body), eTag=answer["ETag"].strip('"'))
        return str(answer["VersionId"])

    def delete(self, key: str) -> None:
        marker = self.s3.delete_object(Bucket=self.bucket, Key=key).get("VersionId")
        if marker:  # moto creates none for a key that never held an object
            self._announce("ObjectRemoved:DeleteMarkerCreated", key, marker)

    def purge(self, key: str, version_id: str) -> None:
        """Deletes a version or a delete marker permanently."""
        self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        self._announce("ObjectRemoved:Delete", key, version_id)

    def versions(self, key: str) -> list[str]:
        """Ids of versions and delete markers, the newest first."""
        listed = self.s3.list_object_versions(Bucket=self.bucket, Prefix=key)
        both = [*listed.get("DeleteMarkers", []), *listed.get("Versions", [])]
        return [str(one["VersionId"]) for one in sorted(both, key=lambda one: not one["IsLatest"])]

    def current(self, key: str) -> str | None:
        """The current version id of the key."""
        newest = [
            one for one in self.s3.list_object_versions(Bucket=self.bucket, Prefix=key).get("Versions", []) if one["IsLatest"]
        ]
        return str(newest[0]["VersionId"]) if newest else None

    def _announce(self, name: str, key: str, version_id: str, **more: Any) -> None:
        record = json.loads(sample_event("start_analysis")["Records"][0]["body"])["Records"][0]
        self._events += 1
        # S3's sequencers differ in length. To compare them, the shorter one is padded on the right.
        sequencer = f"0065{self._events:08X}" + ("01" if self._events % 2 else "")
        record |= {"eventName": name, "eventTime": f"2026-11-20T10:{self._events // 60 % 60:02}:{self._events % 60:02}.250Z"}
        record["s3"]["object"] = {"key": quote_plus(key), "sequencer": sequencer, "versionId": version_id, **more}
        message = Message(json.dumps({"Records": [record]}))
        self.queue.append(message)
        self.sent.append(message)

    # -------------------------------------------------------------------------------------------------------- the functions

    def invoke(self, function: str, event: Event) -> Any:
        """Runs a function once, in the environment that the template gives it. A run may lie within another function's run."""
        self._about.append(event)
        self.at_work.append(function)
        try:
            if function in self.failing:
                raise Unavailable("It hangs.")
            # A function receives and returns JSON, never the caller's objects.
            return json.loads(json.dumps(self._handlers[function](json.loads(json.dumps(event)))))
        finally:
            self._about.pop()
            self.at_work.pop()

    def deliver(self, messages: list[Message]) -> None:
        """Sends one batch to Start Analysis. Messages that failed, and all messages after a crash, return to the queue."""
        self.queue = [message for message in self.queue if message not in messages]
        try:
            event = {"Records": [{"messageId": str(n), "body": message.body} for n, message in enumerate(messages)]}
            failed = [int(one["itemIdentifier"]) for one in self.invoke("StartAnalysis", event)["batchItemFailures"]]
            self.queue += [messages[n] for n in failed]
        except (Crash, BatchProcessingError):  # the error of a batch whose messages have all failed
            self.queue += messages
        for message in messages:
            message.deliveries += 1

    def running(self) -> list[Execution]:
        return [execution for execution in self.executions.values() if execution.status == "RUNNING" and not execution.busy]

    def interrupt(self) -> None:
        """EventBridge delivers an execution's end, and delivers it again when the function crashes."""
        event = self.interruptions.pop(0)
        try:
            self.invoke("RecordInterruption", event)
        except Crash:
            self.interruptions.append(event)

    def reconcile(self) -> None:
        """The scheduled run an hour later, when every execution has ended."""
        with pytest.MonkeyPatch.context() as patch:
            now = timestamps.now
            patch.setattr(timestamps, "now", lambda: now() + 3600 * timestamps.SECOND)
            try:
                self.invoke("ReconcileImages", {})
            except Crash:
                self.invoke("ReconcileImages", {})

    def index(self) -> None:
        """The scheduled run two hours later: the counts, and the rows of writers that have crashed."""
        with pytest.MonkeyPatch.context() as patch:
            now = timestamps.now
            patch.setattr(timestamps, "now", lambda: now() + 7200 * timestamps.SECOND)
            try:
                self.invoke("IndexChanges", {})
            except Crash:
                patch.setattr(timestamps, "now", lambda: now() + 14400 * timestamps.SECOND)
                self.invoke("IndexChanges", {})

    def drain(self, *, late_messages: bool = False) -> None:
        """Finishes everything that is under way. With `late_messages`, executions come before the queue."""
        for turn in range(200):
            if not (self.queue or self.running() or self.interruptions):
                return
            if self.queue and (turn or not late_messages):
                self.deliver(self.queue[:10])
            for execution in self.running():
                execution.finish()
            while self.interruptions:
                self.interrupt()
        raise AssertionError(f"The queue is never empty: {[message.body for message in self.queue]}")

    # ------------------------------------------------------------------------------------------------------------- the wire

    def _listen(self, events: Any) -> None:
        asked: list[Event] = []  # calls nest

        def understood(params: Event, **_: Any) -> None:
            asked.append(params)

        def before(model: Any, params: Event, **_: Any) -> Any:
            if self.at_call:
                self.at_call("before", self._named(model.name, asked[-1]))
            return self._recognise(model.name, params) if model.service_model.service_name == "rekognition" else None

        def after(model: Any, parsed: Event, **_: Any) -> None:
            params = asked.pop()
            if model.name == "Publish":
                rule, version = params["MessageAttributes"]["RuleId"], self._about[-1]["Image"]["VersionId"]
                value = rule["StringValue"]
                self.messages[version] += 1
                for rule_id in json.loads(value) if rule["DataType"] == "String.Array" else [value]:
                    self.published[rule_id, version] += 1
            if model.name == "StartExecution" and parsed.get("executionArn") not in {None, *self.executions}:
                arn = parsed["executionArn"]
                self.executions[arn] = Execution(self, arn, json.loads(params["input"]))
            if self.at_call:
                self.at_call("after", self._named(model.name, params))

        events.register("before-parameter-build", understood)
        events.register("before-call", before)
        events.register("after-call", after)

    def _named(self, operation: str, params: Mapping[str, Any]) -> str:
        place = params.get("TableName") or next(iter(params.get("RequestItems", [""]))) or params.get("Bucket", "")
        buckets = {self.stack.name(name): name for name in ("ImagesBucket", "RenditionsBucket")}
        return f"{operation} {buckets.get(place, place)}".strip()

    def _recognise(self, operation: str, params: Event) -> Any:
        place = json.loads(params["body"])["Image"]["S3Object"]
        which = {"VersionId": place["Version"]} if "Version" in place else {}
        image, execution = self._about[-1]["Image"], self._about[-1]["ExecutionArn"]
        if operation in self.denied:
            return _refusal("AccessDeniedException", "Not authorized.")
        try:
            body = self.s3.get_object(Bucket=place["Bucket"], Key=place["Name"], **which)["Body"].read()
        except ClientError:
            return _refusal("InvalidS3ObjectException", "Unable to get object metadata from S3.")
        self.analyses[image["VersionId"]].add(execution)
        labels = [{"Name": name, "Confidence": 90.0} for name in LABELS[_colour(body)]]
        answer = {"Labels": labels, "LabelModelVersion": "3.0", "ModerationLabels": [], "ModerationModelVersion": "7.0"}
        return SimpleNamespace(status_code=200, headers={}), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


class Execution:
    """One execution of the workflow, one task at a time."""

    def __init__(self, rehearsal: Rehearsal, arn: str, given: Event) -> None:
        self.rehearsal, self.arn, self.given = rehearsal, arn, given
        self.status, self.busy, self.twice = "RUNNING", False, False
        self.entered: list[str] = []
        self._tasks = self._whole()
        next(self._tasks)  # up to the first task

    def advance(self, *, twice: bool = False) -> None:
        """Runs the next task; with `twice`, a second time, as after a lost answer."""
        self.busy, self.twice = True, twice
        try:
            next(self._tasks, None)
        finally:
            self.busy = False

    def finish(self) -> None:
        while self.status == "RUNNING":
            self.advance()

    def abort(self) -> None:
        """Stops the execution from outside: by hand, or by its timeout."""
        self._close("ABORTED", "Operator", "wrong camera")

    def _whole(self) -> Iterator[None]:
        status, error, cause = yield from self._from(self.rehearsal.workflow, self.given)
        if self.status == "RUNNING":
            self._close(status, error, cause)

    def _close(self, status: str, error: str = "", cause: str = "") -> None:
        self.status = status
        self.rehearsal.stack.client("stepfunctions").stop_execution(
            executionArn=self.arn
        )  # moto then knows that it isn't running
        if status != "SUCCEEDED":
            detail = {"executionArn": self.arn, "status": status, "input": json.dumps(self.given), "error": error, "cause": cause}
            self.rehearsal.interruptions.append({"detail": detail})

    def _from(self, machine: Event, data: Any) -> Iterator[None]:
        """Runs a machine or a branch to its end and yields before each task. Returns its end, or a branch's output."""
        name = machine["StartAt"]
        while True:
            name = name.replace("${AfterAnalyzeImage}", "Store Analysis")
            state = machine["States"][name]
            self.entered.append(name)
            following = state.get("Next")
            if state["Type"] == "Succeed":
                return "SUCCEEDED", "", ""
            if state["Type"] == "Fail":
                return "FAILED", self._at(state["ErrorPath"], data), self._at(state["CausePath"], data)
            if state["Type"] == "Choice":
                (rule,) = state["Choices"]
                following = rule["Next"] if self._at(rule["Variable"], data) > rule["NumericGreaterThan"] else state["Default"]
            else:
                data, following = yield from self._work(name, state, data)
            if following is None:
                return data
            name = following

    def _work(self, name: str, state: Event, data: Any) -> Iterator[None]:
        """(data, next state) after a Task, Parallel or Pass."""
        result: Any
        try:
            if state["Type"] == "Parallel":
                result = []
                for branch in state["Branches"]:
                    result.append((yield from self._from(branch, data)))
                result = {field.removesuffix(".$"): self._at(path, result) for field, path in state["ResultSelector"].items()}
            else:
                given = {field.removesuffix(".$"): self._at(path, data) for field, path in state["Parameters"].items()}
                result = given
                if state["Type"] == "Task":
                    yield
                    result = self._invoke(name, state, given)
        except (ImagewatchError, ClientError) as error:
            kind = type(error).__name__
            catch = next(one for one in state["Catch"] if {kind, "States.ALL"} & set(one["ErrorEquals"]))
            cause = json.dumps({"errorType": kind, "errorMessage": str(error)})
            return _put(data, catch["ResultPath"], {"Error": kind, "Cause": cause}), catch["Next"]
        return _put(data, state.get("ResultPath", "$"), result), state.get("Next")

    def _invoke(self, name: str, state: Event, given: Event) -> Any:
        function = name.replace(" ", "")
        assert state["Resource"] == f"${{{function}FunctionArn}}"
        retried = {error for retry in state["Retry"] for error in retry["ErrorEquals"]}
        repeat, self.twice = self.twice, False
        while True:
            try:
                result = self.rehearsal.invoke(function, given)
                return self.rehearsal.invoke(function, given) if repeat else result
            except Crash:
                assert _RETRIED["Crash"] in retried

    def _at(self, path: str, data: Any) -> Any:
        if path == "$$.Execution.Id":
            return self.arn
        if path.startswith("$["):
            return data[int(path[2:-1])]
        for part in path.split(".")[1:]:
            data = data[part]
        return data


def _refusal(code: str, message: str) -> Any:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return SimpleNamespace(status_code=400, headers={}), answer


def _put(data: Event, path: str, result: Any) -> Any:
    if path == "$":
        return result
    first, _, rest = path.removeprefix("$.").partition(".")
    return {**data, first: _put(data[first], f"$.{rest}", result) if rest else result}


def _colour(body: bytes) -> str:
    pixel: Any = Image.open(io.BytesIO(body)).convert("RGB").getpixel((40, 40))
    return ("red", "green", "blue")[pixel.index(max(pixel))]


@pytest.fixture
def cloud(stack: Stack, monkeypatch: pytest.MonkeyPatch, quick_moto: None) -> Rehearsal:
    """The pipeline with the rules of RULES."""
    for rule_id, term in RULES.items():
        rule = {"RuleId": rule_id, "Name": rule_id.title(), "Enabled": True, "Terms": [{"Term": term, "MinConfidence": 50}]}
        stack.put_item("WatchlistTable", rule)
    # A clock that is always past the last slot, so that a start and a message always take as many writes.
    moments = itertools.count(1_000_000, 10)
    monkeypatch.setattr(timestamps, "now", lambda: next(moments))
    return Rehearsal(stack)
