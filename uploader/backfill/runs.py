"""Starts, follows, stops and resumes backfills: executions of ApplyRuleStateMachine."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.backfill.stored_images import Size
from uploader.errors import CommandError, UsageError
from uploader.times import now

RUNNING = ("RUNNING", "PENDING_REDRIVE")
INTERRUPTED = ("ABORTED", "TIMED_OUT")  # the function that was running isn't interrupted and finishes its page
SUCCEEDED = "SUCCEEDED"
PAGE_STATE = "Evaluate Page"
SECONDS_BETWEEN = 1.0
_EVENTS = 50  # newest ones; they have the last page's result unless it was retried very often

# Dollars in us-east-1, as bench/prices.json has them.
_READ_UNIT = 0.125 / 1e6
_WRITE_UNIT = 0.625 / 1e6
_WRITTEN_KB = 17  # of a record with 40 labels: a change writes all of it


@dataclass(frozen=True)
class RunState:
    """The state of a run; `cause` says why it failed."""

    arn: str
    status: str
    progress: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    alerts: bool = False
    """Whether the run sends alerts."""

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING


class Runs:
    """The backfills of a stack. Every method raises CommandError with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws = aws
        (self._machine,) = find_outputs(aws, stack, "ApplyRuleStateMachineArn")

    def start(self, rule_id: str, since: str, until: str | None, *, alert: bool) -> str:
        """Starts a run and returns its ARN. Without `until`, it includes images uploaded before its start."""
        name = f"{rule_id[:40]}-{now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        run = {"RuleId": rule_id, "Since": since, "Alert": alert, **({"Until": until} if until else {})}
        with aws_call(f"start a run (states:StartExecution on {self._machine})"):
            answer = self._aws.stepfunctions.start_execution(
                stateMachineArn=self._machine, name=name, input=json.dumps({"run": run})
            )
        return str(answer["executionArn"])

    def state(self, arn: str) -> RunState:
        """The current state of the run, or of the execution that continues it (the state then has that one's ARN)."""
        self._require_own(arn)
        with aws_call("look at the run (states:DescribeExecution, states:GetExecutionHistory)"):
            described = self._aws.stepfunctions.describe_execution(executionArn=arn)
            history = self._aws.stepfunctions.get_execution_history(
                executionArn=arn, reverseOrder=True, maxResults=_EVENTS, includeExecutionData=True
            )
        progress = _progress(history["events"])
        if described["status"] == SUCCEEDED and progress.get("ContinuedBy"):
            return self.state(str(progress["ContinuedBy"]))
        cause = " ".join(part for part in (described.get("error", ""), described.get("cause", "")) if part)
        alerts = _alerts(described.get("input"))
        # A continued run has a progress before its first page.
        return RunState(
            arn, str(described["status"]), progress or _given_progress(described.get("input")), _message(cause), alerts
        )

    def stop(self, arn: str) -> None:
        """Stops the run after its current page. What it has recorded stays."""
        current = self.state(arn).arn
        with aws_call("stop the run (states:StopExecution)"):
            self._aws.stepfunctions.stop_execution(
                executionArn=current, error="Stopped", cause="By `imagewatch rules apply --stop`."
            )

    def resume(self, arn: str) -> None:
        """Resumes a run that failed or was stopped, from its current page."""
        state = self.state(arn)
        if state.is_running or state.status == SUCCEEDED:
            raise CommandError(f"there is nothing to resume: the run is {state.status.lower()}.")
        with aws_call("resume the run (states:RedriveExecution)"):
            self._aws.stepfunctions.redrive_execution(executionArn=state.arn)

    def follow(self, arn: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[RunState]:
        """The run's state, repeatedly until it has ended. The last state is the final one."""
        state = self.state(arn)
        yield state
        while state.is_running:
            sleep(SECONDS_BETWEEN)
            state = self.state(arn)
            yield state

    def _require_own(self, arn: str) -> None:
        """Raises UsageError for another ARN, so that a typing error can't stop an image's analysis."""
        ours = self._machine.replace(":stateMachine:", ":execution:") + ":"
        if not re.fullmatch(rf"{re.escape(ours)}[\w.-]+", arn):
            raise UsageError(f"{arn!r} is not a run of this stack. The ARN of a run begins with {ours}; `apply` prints it.")


def estimate(size: Size) -> str:
    """What a run over a table of this size reads, and its approximate cost."""
    reading = size.read_units * _READ_UNIT
    writing = 1000 * _WRITTEN_KB * _WRITE_UNIT
    large = f" ({size.bytes / 1e6:,.1f} MB): {_dollars(reading)}" if size.bytes else " (DynamoDB doesn't report their size yet)"
    return (
        f"It reads the whole images table once, about {size.images:,} images{large}, and {_dollars(writing)} for each 1,000"
        " records that change. Rekognition isn't called."
    )


def _dollars(amount: float) -> str:
    return f"about ${amount:,.2f}" if amount >= 0.01 else "less than a cent"


def _progress(events: list[Any]) -> Mapping[str, Any]:
    """The progress after the newest page; empty before the first one."""
    for event in events:
        left = event.get("stateExitedEventDetails", {})
        if left.get("name") == PAGE_STATE and left.get("output"):
            found = json.loads(left["output"]).get("progress")
            if isinstance(found, dict):
                return found
    return {}


def _alerts(given: str | None) -> bool:
    """Whether an execution's input asks for alerts. Without permission to read data, Step Functions leaves the input out."""
    try:
        return json.loads(given or "{}")["run"]["Alert"] is True
    except (KeyError, TypeError, ValueError):  # started by hand
        return False


def _given_progress(given: str | None) -> Mapping[str, Any]:
    """The progress with which an execution began; empty for one that continues no other."""
    try:
        progress = json.loads(given or "{}").get("progress", {})
    except (AttributeError, ValueError):  # started by hand
        return {}
    return progress if isinstance(progress, dict) else {}


def _message(cause: str) -> str:
    """The message of a Lambda function's error, which Step Functions wraps in JSON."""
    error, brace, rest = cause.partition("{")
    try:
        details = json.loads(brace + rest) if brace else {}
    except ValueError:
        return cause
    return f"{error}{details.get('errorMessage', rest)}".strip() if details else cause
