"""Record Rejection on moto: the record says why, and an image that is gone leaves none."""

from __future__ import annotations

from typing import Any

from tests.index_rows import expected_rows

from .conftest import Event, Stack, leased, newer


def test_the_record_says_why_the_image_was_rejected(stack: Stack, announced: Event, sample: Any) -> None:
    answer = stack.handler("RecordRejection")({**sample("record_rejection"), "Image": announced})
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["Status"] == answer["Status"] == "REJECTED"
    assert record["Reason"] == "The image is 60 x 60 pixels; both sides must have at least 80 for anything to be recognised."


def test_an_image_that_is_gone_leaves_no_record(stack: Stack, announced: Event, sample: Any) -> None:
    error = {"Error": "ImageGone", "Cause": '{"errorMessage": "The image was removed.", "errorType": "ImageGone"}'}
    answer = stack.handler("RecordRejection")({**sample("record_rejection"), "Image": announced, "Error": error})
    assert answer["Status"] == "GONE"
    assert stack.items("ImagesTable") == []


def test_a_rejected_version_clears_what_the_version_before_it_left(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    later = leased(stack, newer(announced))
    stack.handler("RecordRejection")({**sample("record_rejection"), "Image": later})
    assert stack.labels() == []
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert stack.rows() == expected_rows(record)
    assert "status:rejected" in {row.term for row in stack.rows()}
    assert "Labels" not in record


def test_a_superseded_rejection_leaves_the_newer_record_alone(stack: Stack, announced: Event, sample: Any) -> None:
    leased(stack, newer(announced))
    stack.handler("RecordRejection")({**sample("record_rejection"), "Image": announced})
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["Status"] == "ANALYZING"
