"""Record Failure on moto: a reason that a person understands, and no image left in progress."""

from __future__ import annotations

from typing import Any

from tests.index_rows import expected_rows

from .conftest import Event, Stack


def test_the_record_says_what_failed(stack: Stack, announced: Event, sample: Any) -> None:
    answer = stack.handler("RecordFailure")({**sample("record_failure"), "Image": announced})
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["Status"] == "FAILED"
    assert record["Reason"] == answer["Reason"]
    assert record["Reason"].startswith("An AWS service kept throttling requests, and the retries are exhausted.")


def test_findings_that_were_stored_stay_findable_when_a_later_step_fails(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    stack.handler("RecordFailure")({**sample("record_failure"), "Image": announced})
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert (record["Status"], len(record["Labels"])) == ("FAILED", 3)
    assert len(stack.labels()) == 3
    assert stack.rows() == expected_rows(record)


def test_an_image_removed_meanwhile_is_not_brought_back(stack: Stack, uploaded: Event, sample: Any) -> None:
    stack.handler("RecordFailure")({**sample("record_failure"), "Image": uploaded})
    assert stack.items("ImagesTable") == []
