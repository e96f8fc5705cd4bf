"""Runs that apply a rule to history: executions of ApplyRuleStateMachine, started, followed, stopped and resumed."""

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
CUT_OFF = ("ABORTED", "TIMED_OUT")  # from outside: a function that was at work isn't told, and goes on to its page's end
SUCCEEDED = "SUCCEEDED"
PAGE_STATE = "Evaluate Page"
SECONDS_BETWEEN = 1.0
_EVENTS = 50  # of the newest, in which the last page's result stands unless it was retried very often

# Dollars in us-east-1, as bench/prices.json has them.
_READ_UNIT = 0.125 / 1e6
_WRITE_UNIT = 0.625 / 1e6
_WRITTEN_KB = 17  # of a record with 40 labels: a change writes all of it


@dataclass(frozen=True)
class RunState:
    """How a run stands; `cause` says why it failed."""

    arn: str
    status: str
    progress: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    alerts: bool = False
    """Whether it sends alerts as well."""

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING


class Runs:
    """The runs of a stack. Everything raises CommandError with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws = aws
        (self._machine,) = find_outputs(aws, stack, "ApplyRuleStateMachineArn")

    def start(self, rule_id: str, since: str, until: str | None, *, alert: bool) -> str:
        """Starts a run and returns its ARN; without `until`, it covers what was uploaded before its start."""
        name = f"{rule_id[:40]}-{now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        run = {"RuleId": rule_id, "Since": since, "Alert": alert, **({"Until": until} if until else {})}
        with aws_call(f"start a run (states:StartExecution on {self._machine})"):
            answer = self._aws.stepfunctions.start_execution(
                stateMachineArn=self._machine, name=name, input=json.dumps({"run": run})
            )
        return str(answer["executionArn"])

    def state(self, arn: str) -> RunState:
        """How the run stands now."""
        self._must_be_ours(arn)
        with aws_call("look at the run (states:DescribeExecution, states:GetExecutionHistory)"):
            described = self._aws.stepfunctions.describe_execution(executionArn=arn)
            history = self._aws.stepfunctions.get_execution_history(
                executionArn=arn, reverseOrder=True, maxResults=_EVENTS, includeExecutionData=True
            )
        cause = " ".join(part for part in (described.get("error", ""), described.get("cause", "")) if part)
        return RunState(
            arn, str(described["status"]), _progress(history["events"]), _said(cause), _alerts(described.get("input"))
        )

    def stop(self, arn: str) -> None:
        """Stops the run after what it is doing at the moment; what it has written stays."""
        self._must_be_ours(arn)
        with aws_call("stop the run (states:StopExecution)"):
            self._aws.stepfunctions.stop_execution(executionArn=arn, error="Stopped", cause="By `imagewatch rules apply --stop`.")

    def resume(self, arn: str) -> None:
        """Goes on with a run that failed or was stopped, from the page that it was at."""
        state = self.state(arn)
        if state.is_running or state.status == SUCCEEDED:
            raise CommandError(f"there is nothing to resume: the run is {state.status.lower()}.")
        with aws_call("resume the run (states:RedriveExecution)"):
            self._aws.stepfunctions.redrive_execution(executionArn=arn)

    def follow(self, arn: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[RunState]:
        """The run's state, again and again until it has ended; the last one is how it ended."""
        state = self.state(arn)
        yield state
        while state.is_running:
            sleep(SECONDS_BETWEEN)
            state = self.state(arn)
            yield state

    def _must_be_ours(self, arn: str) -> None:
        """No typing error may stop an image's analysis."""
        ours = self._machine.replace(":stateMachine:", ":execution:") + ":"
        if not re.fullmatch(rf"{re.escape(ours)}[\w.-]+", arn):
            raise UsageError(f"{arn!r} is no run of this stack. Its ARN begins with {ours}; `apply` prints it.")


def estimate(size: Size) -> str:
    """What a run over a table of this size reads, and about what that costs."""
    reading = size.read_units * _READ_UNIT
    writing = 1000 * _WRITTEN_KB * _WRITE_UNIT
    large = f" ({size.bytes / 1e6:,.1f} MB): {_dollars(reading)}" if size.bytes else " (DynamoDB doesn't say yet how large)"
    return (
        f"It reads the whole images table once, about {size.images:,} images{large}, and {_dollars(writing)} for each 1,000"
        " records that change. Rekognition isn't called."
    )


def _dollars(amount: float) -> str:
    return f"about ${amount:,.2f}" if amount >= 0.01 else "less than a cent"


def _progress(events: list[Any]) -> Mapping[str, Any]:
    """What the newest page has made of the run's progress; empty before the first one."""
    for event in events:
        left = event.get("stateExitedEventDetails", {})
        if left.get("name") == PAGE_STATE and left.get("output"):
            found = json.loads(left["output"]).get("progress")
            if isinstance(found, dict):
                return found
    return {}


def _alerts(given: str | None) -> bool:
    """Whether an execution's input asks for alerts; without permission to read data, Step Functions leaves the input out."""
    try:
        return json.loads(given or "{}")["run"]["Alert"] is True
    except (KeyError, TypeError, ValueError):  # started by hand, with or without
        return False


def _said(cause: str) -> str:
    """The sentence in a Lambda function's failure, which Step Functions wraps in JSON."""
    error, brace, rest = cause.partition("{")
    try:
        told = json.loads(brace + rest) if brace else {}
    except ValueError:
        return cause
    return f"{error}{told.get('errorMessage', rest)}".strip() if told else cause
