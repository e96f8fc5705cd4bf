"""What the tests of alerts share: matches to send, the wire to AWS (serialised, recorded, cut), and a virtual clock."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.alerts.channel import Message
from imagewatch.aws.channels import Channel
from imagewatch.images.version import ImageVersion

from .conftest import Event, Stack, sample_event
from .rehearsal import READS

SECOND = 1_000_000
NOON = 1_795_348_800 * SECOND  # 2026-11-22 12:00:00 UTC
SUPPRESSED = re.compile(r"(\d+) more match(?:es)? (?:of this rule since [-0-9: ]+ UTC: suppressed|(?:was|were) suppressed)")
MATCHED = re.compile(r"^(?:Your rule|(\d+) of your rules)")
DIGESTED = re.compile(r'^(\d+) match(?:es)? of (?:"|\d+ other rule)', re.MULTILINE)


class Crash(BaseException):
    """The process is gone: nothing that it would still have done is done."""


class Wire:
    """Every call to AWS passes here, one at a time: moto's conditional writes aren't atomic across threads, DynamoDB's are.

    `cut_after` = n lets n calls through and then kills the process, as far as AWS can see; `cut_after_writes` counts only what
    changes something, or is refused. `refuse` names operations that fail.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.published: list[tuple[int, str]] = []
        self.cut_after: int | None = None
        self.writes: list[str] = []
        """Such as "UpdateItem AlertsTable", whether its condition held or not."""
        self.cut_after_writes: int | None = None
        self.refuse: dict[str, tuple[str, int]] = {}
        self._refused: tuple[int, str] = (0, "")
        self._sent_just_now = False
        self._turn = threading.RLock()
        original = BaseClient._make_api_call
        wire = self

        def make_api_call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            with wire._turn:
                wire._before(operation)
                with wire.writing(operation, arguments):
                    answer = original(client, operation, arguments)
                wire._after(operation, arguments)
                return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)

    def _before(self, operation: str) -> None:
        if self.cut_after is not None and len(self.calls) >= self.cut_after:
            raise Crash(f"before {operation}")
        if self.cut_after_writes and len(self.writes) >= self.cut_after_writes:
            raise Crash("gone already")
        if operation in self.refuse:
            code, status = self.refuse[operation]
            answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, operation)
        times, code = self._refused
        if self._sent_just_now and operation in ("UpdateItem", "TransactWriteItems") and times:
            self._refused = (times - 1, code)
            raise ClientError({"Error": {"Code": code, "Message": code}}, operation)

    def _after(self, operation: str, arguments: dict[str, Any]) -> None:
        self.calls.append(operation)
        self._sent_just_now = operation == "Publish"
        if self._sent_just_now:
            self.published.append((timestamps.now(), arguments["Subject"]))

    @contextmanager
    def writing(self, operation: str, arguments: dict[str, Any]) -> Iterator[None]:
        """Around what may be a write: the process ends before the first, or when one has taken effect."""
        if operation in READS:
            yield
            return
        if self.cut_after_writes is not None and len(self.writes) >= self.cut_after_writes:
            raise Crash(f"before {operation}")
        try:
            yield
        finally:
            place = arguments.get("TableName") or arguments.get("Bucket") or arguments.get("TopicArn", "").rpartition(":")[2]
            self.writes.append(f"{operation} {place}".strip())
            if len(self.writes) == self.cut_after_writes:
                raise Crash(f"after {operation}")

    def refuse_after_sending(self, times: int, code: str) -> None:
        """The write that follows a message is refused so many times."""
        self._refused = (times, code)

    def cut(self, calls: int | None) -> None:
        """The next process lives for that many calls; with None, as long as it likes."""
        self.calls.clear()
        self.cut_after = calls

    @contextmanager
    def refusing(self, operation: str, code: str, status: int = 400) -> Iterator[None]:
        self.refuse[operation] = (code, status)
        try:
            yield
        finally:
            del self.refuse[operation]


class VirtualClock:
    """Time that passes only in `pass_seconds` and while code sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr(timestamps, "now", lambda: self.now)
        monkeypatch.setattr(timestamps, "time", SimpleNamespace(sleep=self.pass_seconds))

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def fail_messages(patch: pytest.MonkeyPatch, error_of: Callable[[Channel, Message], Exception | None]) -> None:
    """Raises the error of a channel and a message, if they have one, in place of sending."""
    original = Channel.send

    def send(channel: Channel, message: Message) -> str:
        if error := error_of(channel, message):
            raise error
        return original(channel, message)

    patch.setattr(Channel, "send", send)


def rule(rule_id: str = "gate", **more: Any) -> Event:
    """A matched rule as the watchlist gives it."""
    match = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 97.3, "Count": 1}
    return {"RuleId": rule_id, "Name": f"Person at {rule_id}", "Matches": [match], **more}


def matches(image: str, *rules: Event, execution: str = "", source: str = "front-door") -> Event:
    """Send Alert's event for an image of this name that these rules match."""
    event = copy.deepcopy(sample_event("send_alert"))
    state = {**event["Image"], "Key": f"uploads/{source}/{image}.jpg", "VersionId": "v1"}
    arn = event["ExecutionArn"].rpartition(":")[0]
    rules_ = list(rules) or [rule()]
    return {
        **event,
        "Image": ImageVersion.from_state(state).to_state(),
        "Rules": rules_,
        "ExecutionArn": f"{arn}:{execution or image}",
    }


def cooldown(seconds: int = 600, **more: Any) -> Event:
    return {"Cooldown": {"Seconds": seconds, **more}}


def alert_of(stack: Stack, image: str, rule_id: str = "gate") -> Event:
    (alert,) = [a for a in stack.items("AlertsTable") if a.get("RuleId") == rule_id and a["Key"].endswith(f"/{image}.jpg")]
    return alert


def suppressed_in(messages: list[Any]) -> int:
    """How many suppressed matches these messages report."""
    return sum(int(number) for message in messages for number in SUPPRESSED.findall(message["Message"]))


def sent_in(messages: list[Any]) -> int:
    """How many matches these messages report as alerts."""
    found = [MATCHED.match(message["Message"]) for message in messages]
    return sum(int(match.group(1) or 1) for match in found if match)


def digested_in(messages: list[Any]) -> int:
    """How many matches these messages report as digests."""
    return sum(int(number) for message in messages for number in DIGESTED.findall(message["Message"]))


def retried(handler: Callable[[Event], Any], wire: Wire, event: Event, calls: int) -> bool:
    """Runs the handler in a process that is killed after so many calls, then in one that lives; False if the first survived."""
    wire.cut(calls)
    try:
        handler(event)
    except Crash:
        wire.cut(None)
        handler(event)
        return True
    wire.cut(None)
    return False
