"""RedriveExecution: continues an unsuccessful execution from the state in which it ended, with that state's input.

AWS reruns only the unsuccessful branches of a Parallel and the unsuccessful iterations of a Map. moto's interpreter can't start
in the middle of a branch, so an execution that ended inside one can't be redriven here.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext

from local.emulator.timestamps import now_iso

MAX_EVENTS = 24_999  # the history of an execution can have 25,000 events
REDRIVABLE_DAYS = 14
RESUMABLE_STATES = ("Task", "Wait", "Pass", "Choice", "Succeed", "Fail")


class ExecutionNotRedrivable(JsonRESTError):
    """The execution can't be redriven. The message is Step Functions' own where it has one."""

    def __init__(self, reason: str) -> None:
        super().__init__("ExecutionNotRedrivable", reason)


@dataclass(frozen=True)
class Resumption:
    """Where an execution continues: the name and input of the state, and the history so far."""

    state: str
    state_input: Any
    events: list[dict[str, Any]]


def not_redrivable_reason(
    status: ExecutionStatus, ended_for: datetime.timedelta = datetime.timedelta(), events: int = 0
) -> str | None:
    """The `redriveStatusReason` of an execution that can't be redriven, or None if it can."""
    if status in (ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED):
        return f"Execution is {status.value} and cannot be redriven"
    if events >= MAX_EVENTS:
        return "Execution history event limit exceeded"
    if ended_for > datetime.timedelta(days=REDRIVABLE_DAYS):
        return "Execution redrivable period exceeded"
    return None


def resumption(definition: str, events: list[dict[str, Any]]) -> Resumption:
    """Where to continue, from the definition and history. Raises ExecutionNotRedrivable for a Parallel or Map."""
    states: Mapping[str, Any] = json.loads(definition)["States"]
    entered = [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]
    last = next(details for details in reversed(entered) if details["name"] in states)
    kind = states[last["name"]]["Type"]
    if kind not in RESUMABLE_STATES:
        raise ExecutionNotRedrivable(f"The emulator can't redrive an execution that ended in a {kind} ({last['name']}); AWS can.")
    return Resumption(last["name"], json.loads(last["input"]), events)


def resume(env: Any, resumption: Resumption, redrives: int) -> None:
    """Set up a new environment to continue: with the previous history, an ExecutionRedriven event and the state's input."""
    manager = env.event_manager
    manager._history_event_list = list(resumption.events)
    manager._event_id_gen._next_id = len(resumption.events) + 1
    env.event_history_context = EventHistoryContext(previous_event_id=len(resumption.events))
    manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.ExecutionRedriven,
        event_details=EventDetails(executionRedrivenEventDetails={"redriveCount": redrives}),
    )
    manager.skips_next_entry = True
    env.states.context_object.context_object_data["Execution"] |= {"RedriveCount": redrives, "RedriveTime": now_iso()}
    env.states.reset(input_value=resumption.state_input)
    env.resume_at = resumption.state
