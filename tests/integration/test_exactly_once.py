"""Exactly one analysis for each object version, and always the state that S3's newest version calls for: whatever the order in
which events and workflow steps meet, also if they are repeated or interrupted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagewatch.images.version import ImageVersion, image_id
from tests.index_rows import StoredRow, expected_rows

from .conftest import Stack
from .rehearsal import LABELS, PICTURES, RULES, Crash, Execution, Message, Rehearsal

T = TypeVar("T")
_numbers = itertools.count()


@pytest.fixture
def rehearsal(stack: Stack, quick_moto: None) -> Rehearsal:
    for rule_id, term in RULES.items():
        rule = {"RuleId": rule_id, "Name": rule_id.title(), "Enabled": True, "Terms": [{"Term": term, "MinConfidence": 50}]}
        stack.put_item("WatchlistTable", rule)
    return Rehearsal(stack)


class Chance:
    """Choices read off a string of bytes; once it is used up, always the first possibility, so that short strings are simple."""

    def __init__(self, choices: bytes) -> None:
        self._choices = iter(choices)
        self.over = False

    def among(self, possibilities: Sequence[T]) -> T:
        return possibilities[self.number(len(possibilities))]

    def number(self, below: int) -> int:
        choice = next(self._choices, None)
        self.over = choice is None
        return (choice or 0) % below


class World:
    """What happens to a few keys, as chance has it."""

    def __init__(self, rehearsal: Rehearsal, chance: Chance) -> None:
        self.rehearsal, self.chance = rehearsal, chance
        run = next(_numbers)
        self.keys = [f"uploads/run {run}/a+b.jpg", f"uploads/run {run}/\u00fc.jpg"]
        self.put: dict[str, tuple[str, str]] = {}
        """Key and picture by version id."""
        self.removals = dict.fromkeys(self.keys, 0)
        self.emptied: set[str] = set()
        """Keys that have shown no image at some time after their first."""
        self.aborted: list[Execution] = []
        self.depth = 0

    def step(self) -> None:
        actions = [self.upload, self.deliver, self.advance, self.deliver, self.advance, self.remove, self.purge, self.deliver]
        self.chance.among([*actions, self.advance, self.abort, self.interrupt])()

    def upload(self) -> None:
        self.uploads(self.chance.among(self.keys), self.chance.among(list(PICTURES)))

    def uploads(self, key: str, name: str) -> None:
        self.put[self.rehearsal.put(key, name)] = (key, name)
        if name == "empty":
            self.emptied.add(key)

    def remove(self) -> None:
        self.removes(self.chance.among(self.keys))

    def removes(self, key: str) -> None:
        self.rehearsal.delete(key)
        self.emptied.add(key)

    def purge(self) -> None:
        """Deletes a version or a delete marker permanently: often the newest, so that an older one becomes the current one."""
        key = self.chance.among(self.keys)
        versions = self.rehearsal.versions(key)
        if versions:
            self.purges(key, self.chance.among([versions[0], *versions]))

    def purges(self, key: str, version_id: str) -> None:
        self.rehearsal.purge(key, version_id)
        self.removals[key] += 1
        self.emptied.add(key)

    def deliver(self) -> None:
        """A batch of messages out of order, some of them delivered before; perhaps interrupted or superseded."""
        waiting = [*self.rehearsal.queue, *self.rehearsal.sent[-4:]]
        if waiting:
            first = self.chance.number(len(waiting))
            batch = unique([*waiting[first:], *waiting[:first]])[: self.chance.among([1, 2, 3, 1])]
            with self.disturbed():
                self.rehearsal.deliver(batch)

    def advance(self) -> None:
        running = self.rehearsal.running()
        if running:
            execution = self.chance.among(running)
            with self.disturbed():
                execution.advance(twice=self.chance.number(4) == 3)

    def abort(self) -> None:
        running = self.rehearsal.running()
        if running and self.chance.number(3) == 1:
            execution = self.chance.among(running)
            execution.abort()
            self.aborted.append(execution)

    def interrupt(self) -> None:
        if self.rehearsal.interruptions and self.chance.number(4) == 3 and self.is_owner(self.rehearsal.interruptions[0]):
            self.rehearsal.interruptions.pop(0)  # EventBridge delivers at best effort
        elif self.rehearsal.interruptions:
            with self.disturbed():
                self.rehearsal.interrupt()

    def is_owner(self, interruption: dict[str, Any]) -> bool:
        """Whether the record belongs to the execution that was interrupted."""
        image = json.loads(interruption["detail"]["input"])["image"]
        record = self.rehearsal.stack.record(image["ImageId"])
        return record is not None and record.get("Lease") == image["Lease"]

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Sometimes a function crashes at one of its calls, or other things happen while one of its calls is on its way."""
        kind, left, more = self.chance.among(["", "", "crash", "meanwhile"]), self.chance.number(12), self.chance.number(4)
        before, cloud = self.rehearsal.at_call, self.rehearsal

        def cut_in(moment: str, call: str) -> None:
            nonlocal left
            # Between publishing and marking, an alert can be sent once more: test_crash_recovery looks at that.
            if call.startswith(("Publish", "UpdateItem AlertsTable")):
                return
            left -= 1
            if left:
                return
            cloud.at_call = None
            if kind == "crash":
                raise Crash
            if self.depth < 2:
                self.depth += 1
                for _ in range(1 + more):
                    self.step()
                self.depth -= 1

        cloud.at_call = cut_in if kind and not before else None
        try:
            yield
        finally:
            cloud.at_call = before

    def come_to_rest(self) -> None:
        self.rehearsal.at_call = None
        self.rehearsal.drain()
        self.rehearsal.reconcile()


def unique(messages: Sequence[Message]) -> list[Message]:
    return list({id(message): message for message in messages}.values())


SHORT_HISTORIES = {
    "put, put": ["red", "green"],
    "put, removed, put": ["red", "delete", "green"],
    "put, removed, restored": ["green", "delete", "purge"],
    "put, put, newest deleted permanently": ["green", "red", "purge"],
    "put, removed, put, put": ["red", "delete", "text", "green"],
}


@pytest.mark.parametrize("history", SHORT_HISTORIES.values(), ids=SHORT_HISTORIES)
def test_events_in_any_order_end_with_what_the_last_version_calls_for(rehearsal: Rehearsal, history: list[str]) -> None:
    ways = itertools.product(itertools.permutations(range(len(history))), (False, True))
    for order, at_once in itertools.islice(ways, 0, None, 1 if len(history) < 4 else 3):  # of the longest, every third
        world = World(rehearsal, Chance(b""))
        key = world.keys[0]
        for action in history:
            if action == "delete":
                world.removes(key)
            elif action == "purge":
                world.purges(key, rehearsal.versions(key)[0])
            else:
                world.uploads(key, action)
        messages, rehearsal.queue = rehearsal.queue, []
        # Each event once in this order, executions running in between or only afterwards; and then all of them once more.
        for message in [messages[n] for n in order]:
            rehearsal.deliver([message])
            if at_once:
                for execution in rehearsal.running():
                    execution.finish()
        world.come_to_rest()
        check(world)
        rehearsal.queue = messages
        world.come_to_rest()
        check(world)


def test_a_version_that_is_overwritten_while_it_is_analysed_keeps_what_its_analysis_reads(rehearsal: Rehearsal) -> None:
    """Its JPEG copy is not there for Rekognition only until the next version has come to its end."""
    tasks = 0
    while True:
        world = World(rehearsal, Chance(b""))
        key = world.keys[0]
        world.uploads(key, "red, converted")
        rehearsal.deliver(list(rehearsal.queue))
        (overtaken,) = [one for one in rehearsal.executions.values() if one.given["image"]["Key"] == key]
        for _ in range(tasks):
            overtaken.advance()
        if overtaken.status != "RUNNING":
            break
        world.uploads(key, "green")
        rehearsal.deliver(list(rehearsal.queue))
        list(rehearsal.executions.values())[-1].finish()
        world.come_to_rest()
        check(world)
        tasks += 1
    assert tasks > 4


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(min_size=30, max_size=160), st.lists(st.integers(0, 30), max_size=4))
def test_any_stream_of_events_ends_with_what_the_last_version_calls_for(
    rehearsal: Rehearsal, choices: bytes, repeated: list[int]
) -> None:
    rehearsal.queue, rehearsal.sent, rehearsal.interruptions = [], [], []
    chance = Chance(choices)
    world = World(rehearsal, chance)
    world.upload()
    while not chance.over:
        world.step()
    world.come_to_rest()
    check(world)

    # Long afterwards, some of the events come once more.
    rehearsal.queue = unique([world.rehearsal.sent[n % len(rehearsal.sent)] for n in repeated])
    world.come_to_rest()
    check(world)

    # And in the end everything is removed.
    for key in world.keys:
        world.removes(key)
    world.come_to_rest()
    check(world)


def check(world: World) -> None:
    for key in world.keys:
        check_record(world, key)
    for version_id, (key, name) in world.put.items():
        check_version(world, version_id, key, name)
    assert not world.rehearsal.running()


def check_record(world: World, key: str) -> None:
    """The record is that of the key's current version, and whatever else exists belongs to it."""
    stack, identity = world.rehearsal.stack, image_id(world.rehearsal.bucket, key)
    record, current = stack.record(identity), world.rehearsal.current(key)
    rows = [row for row in stack.rows() if row.image_id == identity]
    renditions = {one for one in stack.keys("RenditionsBucket") if identity in one}
    if current is None or world.put[current][1] == "empty":
        assert (record, rows, renditions) == (None, [], set())
        return
    assert record is not None, f"{key} shows {current}, and has no record"
    assert record["VersionId"] == current
    assert not record.get("Stale")
    name = world.put[current][1]
    aborted = [one for one in world.aborted if one.given["image"]["VersionId"] == current]
    assert record["Status"] in {"REJECTED" if name == "text" else "ANALYZED", *(["FAILED"] if aborted else [])}
    if record["Status"] == "ANALYZED":
        check_findings(record, name, rows, renditions)
    assert renditions <= set(record["Stored"][0]["Renditions"])
    assert rows == expected_rows(record)


def check_findings(record: dict[str, Any], name: str, rows: list[StoredRow], renditions: set[str]) -> None:
    expected = LABELS[name.partition(",")[0]]
    assert [label["Name"] for label in record["Labels"]] == expected
    assert len([row for row in rows if row.order == "time" and row.term.startswith("label:")]) == len(expected)
    assert {record["Thumbnail"], *([record["AnalysisCopy"]] if "AnalysisCopy" in record else [])} == renditions
    assert ("AnalysisCopy" in record) == ("converted" in name)


def check_version(world: World, version_id: str, key: str, name: str) -> None:
    """One execution by the version's own name, one analysis unless a removal asked for more, one alert for each matching rule."""
    cloud = world.rehearsal
    executions = [one for one in cloud.executions.values() if one.given["image"]["VersionId"] == version_id]
    if name == "empty":
        assert executions == []
        return
    image = ImageVersion.from_state(executions[0].given["image"])
    own = [one for one in executions if one.arn.endswith(f":{image.execution_name()}")]
    assert len(own) == 1
    # The version below a removed one can be analysed once more when it becomes the current one; so can one that was stopped.
    assert len(cloud.analyses[version_id]) <= 1 + world.removals[key] + len(world.aborted)
    matching = {rule for rule, term in RULES.items() if term in LABELS.get(name.partition(",")[0], [])}
    sent = {rule: number for (rule, version), number in cloud.published.items() if version == version_id}
    assert all(number == 1 for number in sent.values()), sent
    assert set(sent) <= matching
    # What is removed, or stopped by hand, can go too early for its alerts; what is only overwritten can not.
    cut_short = key in world.emptied or any(one in world.aborted for one in executions)
    if not cut_short or any("Send Alert" in one.entered and one.status == "SUCCEEDED" for one in executions):
        assert set(sent) == matching
