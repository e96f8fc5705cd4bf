"""Store Analysis on moto: one record and its rows, whatever came before, between or after."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from imagewatch.aws.dynamodb import to_item
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables import search_index
from imagewatch.errors import AnalysisIncomplete, ImageGone, ImageRejected
from imagewatch.images.version import ImageVersion, comparable_sequencer
from imagewatch.services import image_store
from imagewatch.services.image_store import Ending
from tests.index_rows import expected_rows

from .conftest import Event, Stack, leased, newer, sample_event


def store(stack: Stack, image: Event, **findings: Any) -> dict[str, Any]:
    event = sample_event("store_analysis")
    answer: dict[str, Any] = stack.handler("StoreAnalysis")(
        {**event, "Image": image, "Findings": {**event["Findings"], **findings}}
    )
    return answer


def unavailable(error: str, message: str) -> Event:
    return {"Unavailable": {"Error": error, "Cause": f'{{"errorMessage": "{message}", "errorType": "{error}"}}'}}


def labels(*names: str) -> Event:
    template = sample_event("store_analysis")["Findings"]["Labels"]["Labels"][0]
    return {"Labels": [{**template, "Name": name} for name in names], "ModelVersion": "3.0"}


def rendition(stack: Stack, image: Event) -> str:
    key = ImageVersion.from_state(image).thumbnail_key
    stack.client("s3").put_object(Bucket=stack.name("RenditionsBucket"), Key=key, Body=b"thumbnail")
    return key


def test_writes_the_record_and_a_row_for_each_label(stack: Stack, announced: Event) -> None:
    answer = store(stack, announced)

    record = stack.record(announced["ImageId"])
    assert record is not None
    assert answer["Stored"] is True
    assert record["Status"] == "ANALYZED"
    assert record["ModelVersions"] == {"Labels": "3.0", "Moderation": "7.0"}
    assert record["Labels"][0]["Instances"][0]["BoundingBox"]["Left"] == pytest.approx(0.3359)
    assert record["MatchedRules"] == []
    assert set(stack.labels()) == {"person", "face", "head"}
    assert {row.image_id for row in stack.rows()} == {announced["ImageId"]}
    assert stack.rows() == expected_rows(record)


def test_text_that_was_read_goes_on_to_the_watchlist(stack: Stack, announced: Event) -> None:
    assert "Text" not in store(stack, announced)
    line = {"Text": "GATE 7", "Type": "LINE", "Confidence": 99.5, "BoundingBox": {"Left": 0, "Top": 0, "Width": 1, "Height": 1}}
    assert store(stack, announced, Text={"Text": [line], "ModelVersion": "3.0"})["Text"] == [line]


def test_storing_again_changes_nothing(stack: Stack, announced: Event) -> None:
    store(stack, announced)
    rows = stack.rows()
    assert store(stack, announced)["Stored"] is True
    assert stack.rows() == rows


def test_an_image_without_any_label_is_still_analyzed(stack: Stack, announced: Event) -> None:
    store(stack, announced, Labels=labels())
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert (record["Status"], record["Labels"]) == ("ANALYZED", [])
    assert stack.labels() == []
    assert stack.rows() == expected_rows(record)


def test_a_newer_version_replaces_rows_and_renditions_of_the_older(stack: Stack, announced: Event) -> None:
    rendition(stack, announced)
    store(stack, announced, Labels=labels("Cat", "Animal"))
    later = leased(stack, newer(announced))
    kept = rendition(stack, later)

    store(stack, later, Labels=labels("Dog", "Animal"))

    assert stack.labels() == ["animal", "dog"]
    assert stack.keys("RenditionsBucket") == [kept]
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert "Stale" not in record


def test_an_older_version_never_overwrites_a_newer_one_and_leaves_nothing_behind(stack: Stack, announced: Event) -> None:
    later = leased(stack, newer(announced))
    store(stack, later, Labels=labels("Dog"))
    rendition(stack, announced)

    answer = store(stack, announced, Labels=labels("Cat"))

    assert answer["Stored"] is False
    assert answer["Labels"][0]["Name"] == "Cat"  # it is still matched against the watchlist
    assert stack.labels() == ["dog"]
    assert stack.keys("RenditionsBucket") == []


def test_a_removal_between_the_record_and_its_rows_leaves_no_rows(
    stack: Stack, announced: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = search_index.put

    def put_after_a_removal(rows: Any) -> None:
        stack.client("dynamodb").delete_item(TableName=stack.name("ImagesTable"), Key={"ImageId": {"S": announced["ImageId"]}})
        put(rows)

    monkeypatch.setattr(search_index, "put", put_after_a_removal)
    assert store(stack, announced)["Stored"] is False
    assert stack.rows() == []
    assert stack.record(announced["ImageId"]) is None


def test_a_retry_recovers_from_a_crash_between_the_record_and_its_rows(
    stack: Stack, announced: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(search_index, "put", lambda rows: (_ for _ in ()).throw(SystemError("crash")))
        with pytest.raises(SystemError):
            store(stack, announced)
    assert stack.rows() == []
    store(stack, announced)
    assert len(stack.labels()) == 3
    assert stack.rows() == expected_rows(stack.record(announced["ImageId"]))


def test_more_rows_than_one_batch_takes_are_all_written(stack: Stack, announced: Event) -> None:
    store(stack, announced, Labels=labels(*(f"Label {n}" for n in range(60))))
    assert len(stack.labels()) == 60


def test_without_moderation_the_labels_are_kept_and_the_record_says_what_is_missing(stack: Stack, announced: Event) -> None:
    store(stack, announced, Moderation=unavailable("Throttled", "Provisioned Rate exceeded"))
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["Status"] == "ANALYZED"
    assert record["Labels"]
    assert record["Moderation"]["Status"] == "NOT_CHECKED"
    assert "Moderation could not be checked" in record["Moderation"]["Reason"]


def test_without_labels_there_is_nothing_to_store(stack: Stack, announced: Event) -> None:
    with pytest.raises(AnalysisIncomplete, match="Labels could not be detected"):
        store(stack, announced, Labels=unavailable("Throttled", "Provisioned Rate exceeded"))


def test_labels_that_are_missing_because_the_image_was_removed_are_no_failure(stack: Stack, announced: Event) -> None:
    with stack.environment("StartAnalysis"):
        image_store.remove(ImageVersion.from_state(announced))
    with pytest.raises(ImageGone, match="was removed or replaced"):
        store(stack, announced, Labels=unavailable("ClientError", "(InvalidS3ObjectException) Unable to get object metadata"))


def test_an_image_that_rekognition_refused_is_rejected(stack: Stack, announced: Event) -> None:
    with pytest.raises(ImageRejected, match="could not read the image"):
        store(stack, announced, Labels=unavailable("ImageRejected", "Rekognition could not read the image"))


def test_text_is_stored_when_it_was_detected(stack: Stack, announced: Event) -> None:
    text = [
        {"Text": "VISITORS", "Type": "LINE", "Confidence": 90.5, "BoundingBox": {"Left": 0, "Top": 0, "Width": 1, "Height": 1}}
    ]
    store(stack, announced, Text={"Text": text, "ModelVersion": "3.0"})
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["Text"][0]["Text"] == "VISITORS"
    assert record["ModelVersions"]["Text"] == "3.0"


def test_a_key_that_is_overwritten_before_each_analysis_has_ended_keeps_a_small_record(stack: Stack, announced: Event) -> None:
    """A camera that writes latest.jpg each second would fill the 400 KB of its record in half an hour otherwise."""
    version = ImageVersion.from_state(announced)
    rendition(stack, announced)
    for number in range(60):
        later = replace(
            version, version_id=f"v{number}", sequencer=comparable_sequencer(f"0065A1B2C3D5{number:06X}"), lease=f"{number:08x}"
        )
        leased(stack, later.to_state())
        assert store(stack, version.to_state(), Labels=labels("Cat"))["Stored"] is False
        version = later
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record.get("Stale", []) == []
    assert len(json.dumps(to_item(record))) < 4_000
    assert store(stack, version.to_state(), Labels=labels("Cat"))["Stored"] is True
    assert stack.labels() == ["cat"]
    assert stack.keys("RenditionsBucket") == []


def test_an_analysis_that_is_cut_off_late_leaves_nothing_though_a_newer_version_has_the_record(
    stack: Stack, announced: Event
) -> None:
    store(stack, announced, Labels=labels("Cat"))
    version = ImageVersion.from_state(announced)
    picture = version.annotated_key("cats")
    with stack.environment("SendAlert"):
        assert images_table.list_rendition(version, picture)
    stack.client("s3").put_object(Bucket=stack.name("RenditionsBucket"), Key=picture, Body=b"annotated")
    later = leased(stack, newer(announced))

    with stack.environment("RecordInterruption"):
        assert image_store.end(version, Ending("FAILED", "Interrupted.")) is False

    assert stack.rows() == []
    assert stack.keys("RenditionsBucket") == []
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert (record["Version"], record["Stale"]) == (later["Version"], [])


def test_a_second_analysis_leaves_nothing_that_the_first_had_to_say(stack: Stack, announced: Event) -> None:
    failure = {**sample_event("record_failure"), "Image": announced}
    stack.handler("RecordFailure")(failure)
    store(stack, announced, Text=unavailable("Throttled", "Rate exceeded"))
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert (record["Status"], "Reason" in record) == ("ANALYZED", False)
    assert "TextUnavailable" in record
    store(stack, announced)
    assert "TextUnavailable" not in (stack.record(announced["ImageId"]) or {})
