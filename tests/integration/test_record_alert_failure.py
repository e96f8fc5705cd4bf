"""Record Alert Failure on moto: the record says why alerts were not sent, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Event, Stack, leased, newer


@pytest.fixture
def analysed(stack: Stack, announced: Event, sample: Any) -> Event:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    return announced


def failure(image: Event, sample: Any, **more: Any) -> dict[str, Any]:
    return {**sample("record_alert_failure"), "Image": image, **more}


def test_the_record_says_why_and_stays_analyzed(stack: Stack, analysed: Event, sample: Any) -> None:
    before = stack.record(analysed["ImageId"])
    answer = stack.handler("RecordAlertFailure")(failure(analysed, sample))
    assert answer["Recorded"] is True
    assert answer["Reason"].startswith("An AWS service kept throttling requests, and the retries are exhausted. Details: ")
    assert stack.record(analysed["ImageId"]) == {**(before or {}), "AlertFailure": answer["Reason"]}


def test_a_repeated_failure_changes_nothing(stack: Stack, analysed: Event, sample: Any) -> None:
    once = (stack.handler("RecordAlertFailure")(failure(analysed, sample)), stack.record(analysed["ImageId"]))
    assert (stack.handler("RecordAlertFailure")(failure(analysed, sample)), stack.record(analysed["ImageId"])) == once


def test_an_error_without_a_cause_has_a_reason(stack: Stack, analysed: Event, sample: Any) -> None:
    answer = stack.handler("RecordAlertFailure")(failure(analysed, sample, Error={"Error": "States.Timeout", "Cause": ""}))
    assert answer == {"Recorded": True, "Reason": "A step timed out."}


def test_a_superseded_execution_does_not_change_the_newer_record(stack: Stack, analysed: Event, sample: Any) -> None:
    leased(stack, newer(analysed))
    before = stack.record(analysed["ImageId"])
    assert stack.handler("RecordAlertFailure")(failure(analysed, sample))["Recorded"] is False
    assert stack.record(analysed["ImageId"]) == before


@pytest.mark.parametrize("version", ["the same", "a newer one"])
def test_the_next_analysis_removes_the_reason(stack: Stack, analysed: Event, sample: Any, version: str) -> None:
    stack.handler("RecordAlertFailure")(failure(analysed, sample))
    image = analysed if version == "the same" else leased(stack, newer(analysed))
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": image})
    record = stack.record(analysed["ImageId"])
    assert record is not None
    assert record["Status"] == "ANALYZED"
    assert "AlertFailure" not in record
