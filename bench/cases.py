"""Counts what happens to one image on the local stack: calls, states, payloads, DynamoDB units, bytes of log."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from bench import answers
from bench.counted_stack import LEDGER
from bench.stack import REPOSITORY, Stack, started
from imagewatch.aws.dynamodb import to_item
from imagewatch.images import decoding as pictures
from imagewatch.images.version import image_id

QUIET_SECONDS = 1.5
PATIENCE_SECONDS = 60
LOG_EVENT_OVERHEAD = 26  # bytes that CloudWatch Logs adds to each event when it meters ingestion
WATCHED = {"Term": "car", "MinConfidence": 80}


@dataclass
class Facts:
    """One case. Calls are counted by function and "service:Operation", units by table."""

    states: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    invocations: dict[str, int] = field(default_factory=dict)
    write_units: dict[str, float] = field(default_factory=dict)
    read_units: dict[str, float] = field(default_factory=dict)
    largest_payload: int = 0
    log_bytes: int = 0
    record_bytes: int = 0
    rows_bytes: int = 0
    rows: int = 0
    thumbnail_bytes: int = 0

    def total(self, service: str, *operations: str) -> int:
        """The number of calls of a service: of the given operations, or of all."""
        wanted = {f"{service}:{operation}" for operation in operations}
        return sum(
            number
            for calls in self.calls.values()
            for name, number in calls.items()
            if name in wanted or (not operations and name.startswith(f"{service}:"))
        )


def measure() -> dict[str, Facts]:
    """Runs every case, one after the other, on a stack that is started for the purpose."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photos = _photos(root / "recorded")
        with started(root, "bench.counted_stack", root / "recorded") as stack:
            return dict(_cases(Counted(stack), photos))


def plain(facts: dict[str, Facts]) -> dict[str, Any]:
    return {name: asdict(fact) for name, fact in facts.items()}


def _photos(recorded: Path) -> dict[str, bytes]:
    """Variants of a photo of a camera's usual size. Their answers are recorded."""
    base = Image.open(REPOSITORY / "samples" / "rocket-on-launch-pad.jpg").convert("RGB").resize((1280, 854))
    photos = {}
    for name, labels, colour, kind in (
        ("30 labels", 30, "red", "JPEG"),
        ("15 labels", 15, "blue", "JPEG"),
        ("second version", 30, "green", "JPEG"),
        ("webp", 30, "white", "WEBP"),
    ):
        picture = base.copy()
        picture.paste(colour, (0, 0, 64, 64))
        content = io.BytesIO()
        picture.save(content, kind, quality=88)
        photos[name] = content.getvalue()
        seen = pictures.examine(photos[name]).converted or photos[name]
        answers.record(seen, labels, recorded)
    photos["too small"] = (REPOSITORY / "samples" / "tiny-icon.png").read_bytes()
    return photos


def _cases(counter: Counted, photos: dict[str, bytes]) -> Iterator[tuple[str, Facts]]:
    counter.watch("match")
    counter.upload("warm-up.jpg", photos["30 labels"])  # opens connections, fills caches, takes the first slot
    yield "new image", counter.upload("first.jpg", photos["30 labels"])
    yield "15 labels", counter.upload("few.jpg", photos["15 labels"])
    yield "one match", counter.upload("match.jpg", photos["30 labels"])
    yield "converted", counter.upload("photo.webp", photos["webp"])
    yield "duplicate event", counter.repeat("first.jpg")
    yield "rejected", counter.upload("icon.png", photos["too small"])
    yield "overwritten", counter.upload("first.jpg", photos["second version"])
    yield "removed", counter.remove("few.jpg")


class Counted:
    """Does one thing to the stack and counts what it causes."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ledger = stack.state / LEDGER
        self._bucket = stack.outputs["ImagesBucketName"]

    def upload(self, name: str, body: bytes) -> Facts:
        return self._counted(name, lambda: self._put(name, body))

    def repeat(self, name: str) -> Facts:
        """Sends S3's event about the object a second time, as S3 may do."""
        record = self._record(name)
        if record is None:
            raise LookupError(f"{name} has no record, so its event cannot be repeated.")
        s3_object = {"key": record["Key"]["S"], "versionId": record["VersionId"]["S"], "eTag": record["ETag"]["S"]}
        s3_object |= {"sequencer": record["Sequencer"]["S"], "size": int(record["Size"]["N"])}
        event = {"eventName": "ObjectCreated:Put", "eventTime": record["UploadedAt"]["S"], "eventSource": "aws:s3"}
        event |= {"eventVersion": "2.1", "awsRegion": "us-east-1", "s3": {"bucket": {"name": self._bucket}, "object": s3_object}}
        body = json.dumps({"Records": [event]})
        send = self._stack.client("sqs").send_message
        return self._counted("", lambda: send(QueueUrl=self._stack.outputs["IntakeQueueUrl"], MessageBody=body))

    def remove(self, name: str) -> Facts:
        return self._counted("", lambda: self._stack.client("s3").delete_object(Bucket=self._bucket, Key=self._key(name)))

    def watch(self, prefix: str) -> None:
        """Puts a rule on the watchlist for images whose names begin with the prefix."""
        below_uploads = self._key(prefix).removeprefix("uploads/")
        rule = {"RuleId": "car", "Name": "Car", "AnyOf": [WATCHED], "KeyPrefixes": [below_uploads]}
        table = self._stack.outputs["WatchlistTableName"]
        self._stack.client("dynamodb").put_item(TableName=table, Item=to_item(rule))

    def _counted(self, name: str, act: Callable[[], Any]) -> Facts:
        line, since = len(self._lines()), time.time()
        act()
        self._wait_for_rest(line)
        facts = Facts()
        for entry in self._lines()[line:]:
            _add(facts, entry)
        facts.log_bytes = self._log_bytes(since)
        if name and (record := self._record(name)):
            facts.states, facts.largest_payload = self._history(record["ExecutionArn"]["S"])
            if "Thumbnail" in record:
                head = self._stack.client("s3").head_object
                found = head(Bucket=self._stack.outputs["RenditionsBucketName"], Key=record["Thumbnail"]["S"])
                facts.thumbnail_bytes = found["ContentLength"]
        return facts

    def _wait_for_rest(self, line: int) -> None:
        """Returns when something has happened and nothing more happens. Raises TimeoutError after PATIENCE_SECONDS."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        seen, since = line, time.monotonic()
        while time.monotonic() < deadline:
            now = len(self._lines())
            if now != seen or now == line or self._stack.executions().get("running", 1):
                seen, since = now, time.monotonic()
            if time.monotonic() - since > QUIET_SECONDS:
                return
            time.sleep(0.1)
        raise TimeoutError(f"The stack was still busy after {PATIENCE_SECONDS} s.")

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._ledger.read_text(encoding="utf-8").splitlines()]

    def _record(self, name: str) -> dict[str, Any] | None:
        key = {"ImageId": {"S": image_id(self._bucket, self._key(name))}}
        answer = self._stack.client("dynamodb").get_item(TableName=self._stack.outputs["ImagesTableName"], Key=key)
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def _history(self, execution: str) -> tuple[list[str], int]:
        """(names of the states entered, in order; the largest input or output of a state in bytes)."""
        names, largest = [], 0
        pages = self._stack.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        for page in pages:
            for event in page["events"]:
                entered, exited = event.get("stateEnteredEventDetails", {}), event.get("stateExitedEventDetails", {})
                names += [entered["name"]] if entered else []
                payload = entered.get("input") or exited.get("output") or ""
                largest = max(largest, len(payload.encode()))
        return names, largest

    def _log_bytes(self, since: float) -> int:
        logs, total = self._stack.client("logs"), 0
        for group in logs.describe_log_groups()["logGroups"]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], startTime=int(since * 1000)
            )
            total += sum(len(e["message"].encode()) + LOG_EVENT_OVERHEAD for page in pages for e in page["events"])
        return total

    def _put(self, name: str, body: bytes) -> None:
        self._stack.client("s3").put_object(Bucket=self._bucket, Key=self._key(name), Body=body)

    @staticmethod
    def _key(name: str) -> str:
        return f"uploads/front-door/2026-11-20/{name}"


def _add(facts: Facts, entry: dict[str, Any]) -> None:
    function = entry["function"]
    if entry["kind"] == "invocation":
        facts.invocations[function] = facts.invocations.get(function, 0) + 1
        return
    calls = facts.calls.setdefault(function, {})
    name = f"{entry['service']}:{entry['operation']}"
    calls[name] = calls.get(name, 0) + 1
    for kind, units in (("write", facts.write_units), ("read", facts.read_units)):
        if kind in entry:
            units[entry["table"]] = units.get(entry["table"], 0) + entry[kind]
    if entry.get("table") == "ImagesTable" and entry.get("items"):
        facts.record_bytes = max(facts.record_bytes, *entry["items"])
    if entry.get("table") == "SearchIndexTable":
        facts.rows += len(entry["items"])
        facts.rows_bytes += sum(entry["items"])
