"""Reconcile Images on moto: records whose end no event has reported, and images that were never started."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

import reconcile_images
from imagewatch import timestamps
from imagewatch.aws import clients
from imagewatch.errors import Throttled
from imagewatch.images.version import ImageVersion
from imagewatch.services import image_store
from imagewatch.services.reconciliation import GIVEN_UP, NOT_STARTED, OUTCOMES, OVERDUE_SECONDS, RETENTION_SECONDS

from .conftest import CONTEXT, Event, Stack, leased, newer
from .test_start_analysis import executions, messages, s3_event

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
Reconcile = Callable[[int], dict[str, int]]


@pytest.fixture
def reconcile(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Reconcile:
    """Runs the function so many seconds later; returns the outcomes that occurred."""

    def run(seconds: int) -> dict[str, int]:
        handler = stack.handler("ReconcileImages")
        with monkeypatch.context() as patch:
            now = timestamps.now()
            patch.setattr(timestamps, "now", lambda: now + seconds * timestamps.SECOND)
            outcomes: dict[str, int] = handler({})
        assert set(outcomes) == set(OUTCOMES)
        return {outcome: number for outcome, number in outcomes.items() if number}

    return run


def start(stack: Stack, image: Event) -> str:
    """Starts the execution of a leased image; returns its ARN."""
    answer = stack.client("stepfunctions").start_execution(
        stateMachineArn=stack.name("AnalyzeImageStateMachine"),
        name=ImageVersion.from_state(image).execution_name(),
        input=json.dumps({"image": image}),
    )
    return str(answer["executionArn"])


def record_of(stack: Stack, image: Event) -> dict[str, Any]:
    record = stack.record(image["ImageId"])
    assert record is not None
    return record


def test_an_execution_whose_end_no_event_has_reported_is_recorded(stack: Stack, announced: Event, reconcile: Reconcile) -> None:
    stack.client("stepfunctions").stop_execution(executionArn=start(stack, announced), error="Operator", cause="wrong camera")
    assert reconcile(HOUR) == {"Recorded": 1}
    record = record_of(stack, announced)
    assert record["Status"] == "FAILED"
    assert record["Reason"].startswith("The analysis was stopped manually")
    assert reconcile(HOUR) == {}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("TIMED_OUT", "The analysis timed out and was stopped."),
        ("FAILED", "The workflow's definition can't process this input. Details: no such path."),
        ("SUCCEEDED", "The analysis ended without a result."),
    ],
)
def test_the_record_says_how_the_execution_ended(
    stack: Stack, announced: Event, reconcile: Reconcile, status: str, reason: str
) -> None:
    described = {
        "executionArn": "arn:aws:states:us-east-1:123456789012:execution:machine:name",
        "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:machine",
        "startDate": 0,
        "status": status,
        "input": json.dumps({"image": announced}),
        **({"error": "States.Runtime", "cause": "no such path"} if status == "FAILED" else {}),
    }
    with Stubber(clients.client("stepfunctions")) as stub:
        stub.add_response("describe_execution", described, {"executionArn": record_of(stack, announced)["ExecutionArn"]})
        assert reconcile(HOUR) == {"Recorded": 1}
    assert (record_of(stack, announced)["Status"], record_of(stack, announced)["Reason"]) == ("FAILED", reason)


def test_an_execution_that_still_runs_is_left_alone(stack: Stack, announced: Event, reconcile: Reconcile) -> None:
    start(stack, announced)
    before = record_of(stack, announced)
    assert reconcile(HOUR) == {"Running": 1}
    assert record_of(stack, announced) == before


def test_an_analysis_that_may_still_end_is_not_looked_at(stack: Stack, announced: Event, reconcile: Reconcile) -> None:
    assert reconcile(OVERDUE_SECONDS - MINUTE) == {}
    assert reconcile(OVERDUE_SECONDS + MINUTE) == {"Waiting": 1}


@pytest.mark.parametrize("ending", ["StoreAnalysis", "RecordFailure", "RecordRejection"])
def test_an_image_whose_analysis_has_ended_is_not_in_the_index(
    stack: Stack, announced: Event, sample: Any, reconcile: Reconcile, ending: str
) -> None:
    event = {"StoreAnalysis": "store_analysis", "RecordFailure": "record_failure", "RecordRejection": "record_rejection"}[ending]
    stack.handler(ending)({**sample(event), "Image": announced})
    assert reconcile(DAY) == {}
    assert not {"AnalyzingShard", "AnalyzingSince"} & set(record_of(stack, announced))


def test_an_image_that_was_never_started_waits_for_a_redrive_and_is_given_up_in_the_end(
    stack: Stack, announced: Event, reconcile: Reconcile
) -> None:
    for _ in range(2):
        assert reconcile(HOUR) == {"Waiting": 1}
        assert (record_of(stack, announced)["Status"], record_of(stack, announced)["Reason"]) == ("ANALYZING", NOT_STARTED)
    assert reconcile(RETENTION_SECONDS - HOUR) == {"Waiting": 1}
    assert reconcile(RETENTION_SECONDS + HOUR) == {"GivenUp": 1}
    assert (record_of(stack, announced)["Status"], record_of(stack, announced)["Reason"]) == ("FAILED", GIVEN_UP)
    assert reconcile(2 * RETENTION_SECONDS) == {}


def test_a_redriven_message_starts_the_analysis_and_removes_the_reason(stack: Stack, reconcile: Reconcile) -> None:
    event = messages({"Records": [s3_event("uploads/a.jpg", "01", version="v1")]})
    handler = stack.handler("StartAnalysis")
    with Stubber(clients.client("stepfunctions")) as stub:
        stub.add_client_error("start_execution", "AccessDeniedException", "not authorized", 400)
        with pytest.raises(Exception, match="AccessDenied"):
            handler(event)
    assert reconcile(HOUR) == {"Waiting": 1}

    stack.handler("StartAnalysis")(event)
    (record,) = stack.items("ImagesTable")
    assert record["Status"] == "ANALYZING"
    assert "Reason" not in record
    assert len(executions(stack)) == 1
    assert reconcile(HOUR) == {"Running": 1}


def test_an_execution_of_an_earlier_lease_is_not_taken_for_this_ones(
    stack: Stack, announced: Event, reconcile: Reconcile
) -> None:
    arn = start(stack, {**announced, "Lease": "earlier"})
    stack.client("stepfunctions").stop_execution(executionArn=arn)
    assert reconcile(HOUR) == {"Waiting": 1}
    assert record_of(stack, announced)["Status"] == "ANALYZING"


def test_a_record_that_is_superseded_or_removed_meanwhile_is_left_to_its_owner(
    stack: Stack, announced: Event, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(stack, announced)
    later = leased(stack, newer(announced))
    assert reconcile(HOUR) == {"Waiting": 1}  # the later version's
    assert record_of(stack, later)["VersionId"] == later["VersionId"]
    stack.use_environment("StartAnalysis")
    assert image_store.remove(ImageVersion.from_state({**later, "Sequencer": later["Sequencer"][:-1] + "F"}))
    assert reconcile(HOUR) == {}
    assert stack.items("ImagesTable") == []


def test_a_run_stops_when_its_time_is_over_and_the_next_one_continues(
    stack: Stack, announced: Event, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(reconcile_images, "RESERVE_MILLISECONDS", CONTEXT.get_remaining_time_in_millis())
        assert reconcile(HOUR) == {}
    assert reconcile(HOUR) == {"Waiting": 1}


def test_a_throttled_run_fails_and_the_next_one_continues(stack: Stack, announced: Event, reconcile: Reconcile) -> None:
    with Stubber(clients.client("stepfunctions")) as stub:
        stub.add_client_error("describe_execution", "ThrottlingException", "Rate exceeded", 400)
        with pytest.raises(Throttled):
            reconcile(HOUR)
    assert reconcile(HOUR) == {"Waiting": 1}


def test_all_shards_of_the_index_are_read(stack: Stack, reconcile: Reconcile) -> None:
    keys = [f"uploads/{number}.jpg" for number in range(60)]
    template = ImageVersion("bucket", "", "v1", "", "01", 1, "2026-11-20T10:00:00.000Z", "lease")
    stack.use_environment("StartAnalysis")
    for key in keys:
        state = {**template.to_state(), "Key": key}
        image_store.acquire_lease(ImageVersion.from_state(state), {"ExecutionArn": executions_arn(stack, key)})
    assert len({record["AnalyzingShard"] for record in stack.items("ImagesTable")}) > 10
    assert reconcile(HOUR) == {"Waiting": len(keys)}


def executions_arn(stack: Stack, key: str) -> str:
    return f"{stack.name('AnalyzeImageStateMachine').replace(':stateMachine:', ':execution:')}:{key.rpartition('/')[2]}"
