"""Waiting for the verdict on exactly the version that was uploaded, with a fake clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from uploader.errors import CommandError
from uploader.upload.follow import LONGEST_INTERVAL, REMOVED, REPLACED, Analysis, Follower
from uploader.upload.image_records import Record
from uploader.upload.transfer import Uploaded


def upload(name: str = "a", version: str | None = "v2") -> Uploaded:
    return Uploaded(Path(name), "images", f"uploads/cam/{name}", version, f"id-{name}", 1, "")


class World:
    """A table and a clock: `script` gives the records of each look, the last one repeatedly."""

    def __init__(self, *script: Mapping[str, Any] | Exception, current: str | None = "v2") -> None:
        self.script, self.current = list(script), current
        self.now, self.slept, self.looks, self.heads = 0.0, [], [], 0  # type: ignore[var-annotated]

    def follow(self, *uploads: Uploaded, timeout: float = 60) -> list[Analysis]:
        follower = Follower(self.read, self.head, clock=lambda: self.now, sleep=self.sleep)
        return list(follower.follow(uploads, timeout))

    def read(self, image_ids: Sequence[str]) -> Mapping[str, Any]:
        self.looks.append(list(image_ids))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return {image_id: record for image_id, record in step.items() if image_id in image_ids}

    def head(self, _: Uploaded) -> str | None:
        self.heads += 1
        return self.current

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def record(status: str, version: str = "v2", **more: Any) -> Record:
    return Record.from_item({"VersionId": version, "Status": status, **more})


def test_waits_until_the_analysis_has_ended() -> None:
    world = World({}, {"id-a": record("ANALYZING")}, {"id-a": record("ANALYZED")})
    (analysis,) = world.follow(upload())
    assert analysis.status == "ANALYZED"
    assert analysis.succeeded
    assert len(world.looks) == 3


@pytest.mark.parametrize("status", ["REJECTED", "FAILED"])
def test_gives_the_reason_of_an_image_that_was_not_analysed(status: str) -> None:
    (analysis,) = World({"id-a": record(status, Reason="Too small.")}).follow(upload())
    assert (analysis.status, analysis.reason, analysis.succeeded) == (status, "Too small.", False)


def test_does_not_take_an_older_versions_result_for_this_one() -> None:
    world = World({"id-a": record("ANALYZED", "v1")}, {"id-a": record("ANALYZED", "v1")}, {"id-a": record("REJECTED")})
    (analysis,) = world.follow(upload())
    assert analysis.status == "REJECTED"
    assert world.heads == 1


def test_a_newer_version_ends_the_waiting() -> None:
    (analysis,) = World({"id-a": record("ANALYZING", "v3")}, current="v3").follow(upload())
    assert analysis.status == REPLACED
    assert analysis.succeeded


def test_an_object_that_was_removed_ends_the_waiting() -> None:
    (analysis,) = World({"id-a": record("ANALYZED", "v1")}, current=None).follow(upload())
    assert analysis.status == REMOVED
    assert not analysis.succeeded


def test_names_what_has_not_ended_in_time() -> None:
    ended, stuck, absent = upload("a"), upload("b"), upload("c")
    world = World({"id-a": record("ANALYZED"), "id-b": record("ANALYZING")})
    first, *late = world.follow(ended, stuck, absent, timeout=20)
    assert first.upload == ended
    assert {(analysis.upload.key, analysis.status, analysis.succeeded) for analysis in late} == {
        (stuck.key, "ANALYZING", False),
        (absent.key, None, False),
    }
    assert all("20 seconds" in analysis.reason for analysis in late)
    assert world.now == pytest.approx(20)


def test_looks_less_and_less_often_while_nothing_happens() -> None:
    world = World({})
    world.follow(upload(), timeout=120)
    growing = world.slept[:-1]
    assert growing == sorted(growing)
    assert max(growing) == LONGEST_INTERVAL
    assert len(world.looks) < 40


def test_asks_only_for_those_that_have_not_ended() -> None:
    world = World({"id-a": record("ANALYZED")}, {"id-b": record("ANALYZED")})
    world.follow(upload("a"), upload("b"))
    assert world.looks == [["id-a", "id-b"], ["id-b"]]


def test_a_large_upload_is_looked_at_in_turns_and_in_full_at_the_end() -> None:
    many = [upload(str(number)) for number in range(2500)]
    world = World({})
    assert len(world.follow(*many, timeout=1)) == 2500
    assert len(world.looks[0]) == 1000
    assert world.looks[0] != world.looks[1]
    assert len(world.looks[-1]) == 2500


def test_a_passing_fault_does_not_end_the_waiting() -> None:
    world = World(ConnectTimeoutError(endpoint_url="https://dynamodb.example"), {"id-a": record("ANALYZED")})
    (analysis,) = world.follow(upload())
    assert analysis.succeeded


def test_a_table_it_may_not_read_ends_the_waiting_at_once() -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "BatchGetItem")
    with pytest.raises(CommandError, match="may not read the images table"):
        World(denied).follow(upload())


def test_a_bucket_without_versions_cannot_be_followed() -> None:
    (analysis,) = World({"id-a": record("ANALYZED")}).follow(upload(version=None))
    assert not analysis.succeeded
    assert "no versions" in analysis.reason


def test_an_analysed_image_has_ended_only_when_its_execution_has_too_because_rules_come_last() -> None:
    bare, complete = record("ANALYZED", MatchedRules=[]), record("ANALYZED", MatchedRules=[{"Name": "Person"}])
    world = World({"id-a": bare}, {"id-a": bare}, {"id-a": complete})
    running = iter([True, False])
    follower = Follower(world.read, world.head, lambda _: next(running), clock=lambda: world.now, sleep=world.sleep)
    (analysis,) = follower.follow([upload()], 60)
    assert [rule.item for rule in analysis.record.rules] == [{"Name": "Person"}]
    assert len(world.looks) == 3
