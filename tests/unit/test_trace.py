"""An execution's history as steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.images import trace


def event(number: int, previous: int, kind: str, **details: Any) -> dict[str, Any]:
    at = datetime(2026, 3, 1, 10, 0, number, tzinfo=UTC)
    named = {"Entered": "stateEnteredEventDetails", "Exited": "stateExitedEventDetails"}
    name = next((value for ending, value in named.items() if kind.endswith(ending)), "taskFailedEventDetails")
    return {"id": number, "previousEventId": previous, "type": kind, "timestamp": at, name: details}


FAILED_BRANCH = [
    event(1, 0, "ExecutionStarted"),
    event(2, 1, "ParallelStateEntered", name="Analyze Image"),
    event(3, 2, "ParallelStateStarted"),
    event(4, 3, "TaskStateEntered", name="Detect Labels"),
    event(5, 3, "TaskStateEntered", name="Detect Text"),
    event(6, 4, "TaskScheduled"),
    event(7, 6, "TaskFailed", error="AccessDenied", cause="No."),
    event(8, 7, "ParallelStateFailed"),
]


def test_a_failed_state_is_finished_and_an_unfinished_branch_is_aborted() -> None:
    shown = trace.steps([*FAILED_BRANCH, event(9, 8, "ExecutionFailed")])

    assert [(step["State"], step["Status"], step["DurationMs"]) for step in shown] == [
        ("Analyze Image", "FAILED", 6000),
        ("Detect Labels", "FAILED", 5000),
        ("Detect Text", "ABORTED", 4000),
    ]


def test_a_state_whose_error_was_caught_is_failed_and_the_next_one_runs() -> None:
    caught = [event(9, 8, "ParallelStateExited", name="Analyze Image"), event(10, 9, "TaskStateEntered", name="Record Failure")]

    shown = trace.steps([*FAILED_BRANCH, *caught])

    assert [(step["State"], step["Status"]) for step in shown][::3] == [
        ("Analyze Image", "FAILED"),
        ("Record Failure", "RUNNING"),
    ]


def test_a_state_that_succeeded_on_its_second_attempt_is_not_failed() -> None:
    again = [
        event(1, 0, "TaskStateEntered", name="Detect Labels"),
        event(2, 1, "TaskScheduled"),
        event(3, 2, "TaskFailed", error="Throttled"),
        event(4, 3, "TaskScheduled"),
        event(5, 4, "TaskStateExited", name="Detect Labels"),
    ]

    (shown,) = trace.steps(again)

    assert (shown["Status"], len(shown["Attempts"])) == ("SUCCEEDED", 2)


def test_a_timed_out_execution_fails_the_state_that_it_was_in() -> None:
    (shown,) = trace.steps([event(1, 0, "WaitStateEntered", name="Wait"), event(9, 1, "ExecutionTimedOut")])

    assert (shown["Status"], shown["DurationMs"]) == ("FAILED", 8000)
