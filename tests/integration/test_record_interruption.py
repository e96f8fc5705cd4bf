"""Record Interruption on moto: executions that ended where no Catch could see it."""

from __future__ import annotations

import json
from typing import Any

from .conftest import Event, Stack


def interrupted(sample: Any, image: Event, **detail: Any) -> Event:
    event: Event = sample("record_interruption")
    event["detail"] |= {"input": json.dumps({"image": image}), **detail}
    return event


def test_an_execution_that_timed_out_is_recorded_as_failed(stack: Stack, announced: Event, sample: Any) -> None:
    assert stack.handler("RecordInterruption")(interrupted(sample, announced)) == {"Recorded": True}
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert (record["Status"], record["Reason"]) == ("FAILED", "The analysis timed out and was stopped.")


def test_an_aborted_execution_says_who_stopped_it(stack: Stack, announced: Event, sample: Any) -> None:
    event = interrupted(sample, announced, status="ABORTED", cause="wrong camera")
    stack.handler("RecordInterruption")(event)
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["Reason"] == "The analysis was stopped manually: wrong camera."


def test_a_failure_that_is_on_record_already_keeps_its_reason(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("RecordFailure")({**sample("record_failure"), "Image": announced})
    before = stack.record(announced["ImageId"])
    event = interrupted(sample, announced, status="FAILED", error="Throttled", cause="...")
    assert stack.handler("RecordInterruption")(event) == {"Recorded": False}
    assert stack.record(announced["ImageId"]) == before
