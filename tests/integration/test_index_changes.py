"""Index Changes on moto: counts follow changed images, also when a run is interrupted at any write."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from imagewatch import timestamps
from imagewatch.aws.tables import search_counts, search_index
from imagewatch.images.version import ImageVersion, image_id
from imagewatch.services import image_store
from imagewatch.services.image_store import Ending
from tests.index_rows import expected_counts, expected_rows, stored_counts

from .conftest import Event, Stack, leased, newer
from .rehearsal import READS, Crash, Rehearsal, cloud

__all__ = ["cloud"]  # the fixture


def counts(stack: Stack) -> dict[tuple[str, str], int]:
    return stored_counts(stack.items("SearchIndexTable"))


def expected(stack: Stack) -> dict[tuple[str, str], int]:
    return expected_counts(stack.items("ImagesTable"))


def marks(stack: Stack) -> list[str]:
    return [item["Position"] for item in stack.items("SearchIndexTable") if item["Posting"] == "changed"]


def test_counts_an_analysed_image_by_each_of_its_terms(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    assert counts(stack) == {}

    assert stack.handler("IndexChanges")(sample("index_changes")) == {"Images": 1}

    assert counts(stack) == expected(stack)
    assert counts(stack)["operators", "label:person"] == 1
    assert counts(stack)["operators", "all"] == 1
    assert marks(stack) == []


def test_without_a_change_nothing_is_written(stack: Stack, sample: Any) -> None:
    assert stack.handler("IndexChanges")(sample("index_changes")) == {"Images": 0}
    assert stack.items("SearchIndexTable") == []


def test_a_repeated_change_counts_once(stack: Stack, announced: Event, sample: Any) -> None:
    for _ in range(3):
        stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
        stack.handler("IndexChanges")({})
    assert counts(stack) == expected(stack)


def test_an_overwritten_and_then_removed_image_is_counted_no_more(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    stack.handler("IndexChanges")({})
    later = leased(stack, newer(announced))
    stack.handler("IndexChanges")({})
    assert counts(stack)["operators", "label:person"] == 1  # it is still found until its new analysis has ended
    stack.handler("RecordRejection")({**sample("record_rejection"), "Image": later})
    stack.handler("IndexChanges")({})
    assert counts(stack) == expected(stack)
    assert ("operators", "label:person") not in counts(stack)
    assert counts(stack)["operators", "status:rejected"] == 1

    with stack.environment("StartAnalysis"):
        image_store.remove(ImageVersion.from_state(later))
    stack.handler("IndexChanges")({})
    assert counts(stack) == {}
    emptied = [item for item in stack.items("SearchIndexTable") if item["Posting"] == "operators|counts"]
    assert emptied
    assert all(item["ExpiresAt"] > timestamps.milliseconds() / 1000 for item in emptied)


def test_a_mark_that_is_renewed_during_a_fold_stays(
    stack: Stack, announced: Event, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    apply = search_counts.write_counted

    def change_meanwhile(counted: Any) -> None:
        with stack.environment("RecordFailure"):
            image_store.end(ImageVersion.from_state(announced), Ending("FAILED", "A step failed."))
        apply(counted)

    with monkeypatch.context() as patch:
        patch.setattr(search_counts, "write_counted", change_meanwhile)
        patch.setattr("imagewatch.services.index_changes.IMAGES", 1)
        turns = iter([True, False])
        patch.setattr("index_changes.RESERVE_MILLISECONDS", 0)
        patch.setattr("tests.integration.conftest.CONTEXT.get_remaining_time_in_millis", lambda: next(turns))
        stack.handler("IndexChanges")({})
    assert marks(stack) == [announced["ImageId"]]
    stack.handler("IndexChanges")({})
    assert marks(stack) == []
    assert counts(stack) == expected(stack)


def test_two_runs_do_not_work_at_once(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    with stack.environment("IndexChanges"):
        assert search_counts.acquire_run_lease("another")
    assert stack.handler("IndexChanges")({}) == {"Busy": True}
    with stack.environment("IndexChanges"):
        search_counts.release_run_lease("another")
    assert stack.handler("IndexChanges")({}) == {"Images": 1}


def test_the_rows_of_a_writer_that_crashed_are_completed_when_it_cannot_run_any_more(
    stack: Stack, announced: Event, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    with stack.environment("ReconcileImages"):
        search_index.mark_changed(announced["ImageId"], rows_after=timestamps.milliseconds() + 60_000)
        stack.client("dynamodb").update_item(
            TableName="ImagesTable",
            Key={"ImageId": {"S": announced["ImageId"]}},
            UpdateExpression="SET MatchedRules = :rules",
            ExpressionAttributeValues={":rules": {"L": [{"M": {"RuleId": {"S": "people"}, "Name": {"S": "People"}}}]}},
        )
    assert stack.handler("IndexChanges")({}) == {"Images": 0}
    assert marks(stack) == [announced["ImageId"]]
    now = timestamps.now()
    monkeypatch.setattr(timestamps, "now", lambda: now + 61 * timestamps.SECOND)
    assert stack.handler("IndexChanges")({}) == {"Images": 1}
    assert stack.rows() == expected_rows(stack.record(announced["ImageId"]))
    assert "rule:people" in {row.term for row in stack.rows()}
    assert counts(stack) == expected(stack)


def change_images(cloud: Rehearsal, folder: str) -> None:
    """A new image, one that is overwritten, a rejected one and one that is removed."""
    for name, pictures in (("new", ["green"]), ("overwritten", ["green", "red"]), ("text", ["text"]), ("gone", ["red"])):
        for picture in pictures:
            cloud.put(f"{folder}/{name}.jpg", picture)
            cloud.drain()
        if pictures[-1] == "red":
            cloud.index()  # so that there is something to subtract
    cloud.delete(f"{folder}/gone.jpg")
    cloud.put(f"{folder}/overwritten.jpg", "green")
    cloud.drain()


def test_counts_are_exact_after_a_crash_before_or_after_any_write(cloud: Rehearsal) -> None:
    written = 0

    def record(moment: str, call: str) -> None:
        nonlocal written
        written += moment == "before" and call.partition(" ")[0] not in READS

    change_images(cloud, "uploads/whole")
    cloud.at_call = record
    cloud.index()
    cloud.at_call = None
    assert written > 12

    # Most writes are counters, which are alike.
    for point in (0, 1, 2, 9, written // 2, *range(written - 6, written + 1)):
        reached = 0

        def crash(moment: str, call: str, point: int = point) -> None:
            nonlocal reached
            if call.partition(" ")[0] not in READS and moment == ("after" if point else "before"):
                reached += 1
                if reached == max(point, 1):
                    raise Crash

        change_images(cloud, f"people/{point:04}-4ac1/{point}")
        cloud.at_call = crash
        try:
            cloud.invoke("IndexChanges", {})
        except Crash:
            cloud.at_call = None
            cloud.put(f"uploads/{point}/between.jpg", "red")
            cloud.delete(f"people/{point:04}-4ac1/{point}/new.jpg")
            cloud.drain()
        cloud.at_call = None
        cloud.index()
        assert counts(cloud.stack) == expected(cloud.stack), point
        assert marks(cloud.stack) == [], point


def test_rows_of_an_image_belong_to_its_viewers(cloud: Rehearsal) -> None:
    for key in ("people/aaaa-1/a.jpg", "people/bbbb-2/b.jpg", "uploads/gate/c.jpg"):
        cloud.put(key, "green")
    cloud.drain()
    for key, viewers in (
        ("people/aaaa-1/a.jpg", {"operators", "aaaa-1"}),
        ("people/bbbb-2/b.jpg", {"operators", "bbbb-2"}),
        ("uploads/gate/c.jpg", {"operators"}),
    ):
        identity = image_id(cloud.bucket, key)
        assert {row.viewer for row in cloud.stack.rows() if row.image_id == identity} == viewers


def age(stack: Stack) -> None:
    """Makes the tables those of the release before the search index."""
    for item in stack.items("SearchIndexTable"):
        key = {name: {"S": item[name]} for name in ("Posting", "Position")}
        stack.client("dynamodb").delete_item(TableName="SearchIndexTable", Key=key)
    for record in stack.items("ImagesTable"):
        for stored in record["Stored"]:
            stored["Labels"] = [label["Name"].casefold() for label in record.get("Labels", [])]
            stored["Position"] = f"{record['UploadedAt']}#{record['ImageId']}#{stored['LeaseId']}"
            del stored["Terms"]
        taken = {"TakenAt", "TakenFrom", "TakenMinute", "TakenOffset"}
        old = {name: value for name, value in record.items() if name not in taken}
        stack.put_item("ImagesTable", {**old, "Owner": record["Source"]})


def test_older_records_are_indexed_also_when_that_is_interrupted(cloud: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewatch.aws.tables.image_scan.PAGE_SIZE", 2)
    for number, picture in enumerate(("green", "red", "text", "green", "red")):
        cloud.put(f"uploads/gate/{number}.jpg", picture)
    cloud.drain()
    age(cloud.stack)
    calls = 0

    def crash(moment: str, call: str) -> None:
        nonlocal calls
        calls += call.partition(" ")[0] not in READS
        if calls and calls % 23 == 0:
            calls += 1
            raise Crash

    cloud.at_call = crash
    crashes, event = 0, {"EveryImage": True}
    for _ in range(60):
        try:
            cloud.invoke("IndexChanges", event)
            break
        except Crash:
            crashes, event = crashes + 1, {}
            now = timestamps.now()
            moments = itertools.count(now + (search_counts.RUN_SECONDS + 1) * timestamps.SECOND, 10)
            monkeypatch.setattr(timestamps, "now", lambda moments=moments: next(moments))
    cloud.at_call = None
    assert crashes > 2
    cloud.index()
    records = cloud.stack.items("ImagesTable")
    assert {record["TakenFrom"] for record in records} == {"upload"}
    assert not any("Owner" in record for record in records)
    assert cloud.stack.rows() == sorted(row for record in records for row in expected_rows(record))
    assert counts(cloud.stack) == expected(cloud.stack)
    assert marks(cloud.stack) == []
    with cloud.stack.environment("IndexChanges"):
        assert search_counts.requested_from() is None
