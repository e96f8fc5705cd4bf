"""Executions in the emulator: names, retries, aborts, timeouts, redrive, history, and status change events."""

from __future__ import annotations

import json
import re
import time
import uuid

import pytest

from .small_stack import SmallStack, eventually


def history(small: SmallStack, execution: str) -> list[str]:
    pages = small.states.get_paginator("get_execution_history").paginate(executionArn=execution, maxResults=5)
    return [event["type"] for page in pages for event in page["events"]]


def test_an_execution_enters_its_states_and_records_their_history(small: SmallStack) -> None:
    execution = small.start("good")
    output = json.loads(small.ended(execution)["output"])
    assert output["other"] == "nothing"
    assert output["acted"]["did"] == "good"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", output["acted"]["started"])
    events = history(small, execution)
    assert events[0] == "ExecutionStarted"
    assert events[-1] == "ExecutionSucceeded"
    assert len(events) > 5


def test_a_failing_task_is_retried_and_then_fails_the_execution_with_its_own_error(small: SmallStack) -> None:
    execution = small.start("fail")
    ended = small.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "TryAgain")
    assert json.loads(ended["cause"])["errorMessage"] == "not today"
    assert history(small, execution).count("LambdaFunctionFailed") == 2


def test_a_crash_can_be_caught_by_its_name(small: SmallStack) -> None:
    output = json.loads(small.ended(small.start("crash"))["output"])
    assert output["acted"]["error"]["Error"] == "Runtime.ExitError"


def test_the_same_name_and_input_start_only_one_execution(small: SmallStack) -> None:
    name = uuid.uuid4().hex
    assert small.start("wait", name) == small.start("wait", name)
    exists = small.states.exceptions.ExecutionAlreadyExists
    with pytest.raises(exists):
        small.start("other", name)
    small.states.stop_execution(executionArn=small.start("wait", name))
    with pytest.raises(exists):
        small.start("wait", name)


def test_a_stopped_execution_is_aborted_immediately_and_its_end_is_published(small: SmallStack) -> None:
    execution = small.start("wait")
    small.states.stop_execution(executionArn=execution, error="Enough", cause="a test")
    described = small.described(execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Enough", "a test")
    assert history(small, execution)[-1] == "ExecutionAborted"
    event = announced(small, execution)
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert event["detail"]["status"] == "ABORTED"
    assert json.loads(event["detail"]["input"]) == {"do": "wait"}


def test_an_execution_that_is_stopped_before_its_first_state_enters_none(small: SmallStack) -> None:
    for _ in range(20):
        execution = small.start("wait")
        small.states.stop_execution(executionArn=execution)
        assert small.described(execution)["status"] == "ABORTED"
        assert history(small, execution)[-1] == "ExecutionAborted"


def test_an_execution_that_exceeds_its_timeout_ends_and_its_end_is_published(small: SmallStack) -> None:
    execution = small.start("wait", machine="ImpatientMachine")
    described = small.ended(execution)
    assert described["status"] == "TIMED_OUT"
    assert 1.5 < (described["stopDate"] - described["startDate"]).total_seconds() < 25  # without the timeout it would take 30
    assert history(small, execution)[-1] == "ExecutionTimedOut"
    assert announced(small, execution)["detail"]["status"] == "TIMED_OUT"


def test_a_redriven_execution_continues_in_its_last_state_with_a_new_timeout(small: SmallStack) -> None:
    execution = small.start("wait", machine="ImpatientMachine")
    eventually(lambda: "WaitStateEntered" in history(small, execution), "it didn't come to its state")
    small.states.stop_execution(executionArn=execution)
    stopped = small.described(execution)
    assert (stopped["redriveStatus"], stopped["redriveCount"]) == ("REDRIVABLE", 0)
    redriven = small.states.redrive_execution(executionArn=execution)["redriveDate"]
    assert small.described(execution)["status"] == "RUNNING"
    described = small.ended(execution)
    assert (described["status"], described["redriveCount"], described["redriveDate"]) == ("TIMED_OUT", 1, redriven)
    assert (described["stopDate"] - redriven).total_seconds() > 1.5
    events = history(small, execution)
    assert events[-4:] == ["WaitStateEntered", "ExecutionAborted", "ExecutionRedriven", "ExecutionTimedOut"]
    assert events.count("ExecutionStarted") == 1


def test_the_timeout_of_the_attempt_before_a_redrive_does_not_end_it(small: SmallStack) -> None:
    execution = small.start("wait", machine="ImpatientMachine")
    eventually(lambda: "WaitStateEntered" in history(small, execution), "it didn't come to its state")
    time.sleep(1)  # half of the timeout
    small.states.stop_execution(executionArn=execution)
    redriven = small.states.redrive_execution(executionArn=execution)["redriveDate"]
    described = small.ended(execution)
    assert described["status"] == "TIMED_OUT"
    assert (described["stopDate"] - redriven).total_seconds() > 1.5  # the first attempt's timeout was due after 1 second


def test_a_redrive_that_fails_again_can_be_redriven_again(small: SmallStack) -> None:
    execution = small.start("forbidden")
    small.ended(execution)
    for redrives in (1, 2):
        small.states.redrive_execution(executionArn=execution)
        described = small.ended(execution)
        assert (described["status"], described["error"]) == ("FAILED", "Lambda.AWSLambdaException")
        assert described["redriveCount"] == redrives
    events = history(small, execution)
    assert (events.count("TaskStateEntered"), events.count("ExecutionFailed")) == (1, 3)


def test_an_execution_that_is_not_redrivable_is_refused_with_the_reason(small: SmallStack) -> None:
    succeeded, in_a_branch, running = small.start("good"), small.start("fail"), small.start("wait")
    small.ended(succeeded)
    small.ended(in_a_branch)
    refused = small.states.exceptions.ExecutionNotRedrivable
    for execution, reason in (
        (succeeded, "Execution is SUCCEEDED and cannot be redriven"),
        (running, "Execution is RUNNING and cannot be redriven"),
        (in_a_branch, r"The emulator can't redrive an execution that ended in a Parallel \(Both\)"),
    ):
        with pytest.raises(refused, match=reason):
            small.states.redrive_execution(executionArn=execution)
    assert small.described(succeeded)["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"


def announced(small: SmallStack, execution: str) -> dict[str, dict[str, str]]:
    """The event with which the function note-ending was invoked."""
    table = small.client("dynamodb")
    where = {"TableName": small.outputs["TableName"], "Key": {"Id": {"S": execution}}}
    eventually(lambda: "Item" in table.get_item(**where), "the end was not announced")
    return json.loads(table.get_item(**where)["Item"]["Event"]["S"])  # type: ignore[no-any-return]
