"""RedriveExecution: an execution that ended badly goes on from the state that it ended in, with that state's input.

AWS reruns only the unsuccessful branches of a Parallel and the unsuccessful iterations of a Map. moto's interpreter can't enter a
branch in its middle, so an execution that ended inside one is refused here, by name.
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

MOST_EVENTS = 24_999  # an execution's history has room for 25,000
DAYS = 14
WHOLE_STATES = ("Task", "Wait", "Pass", "Choice", "Succeed", "Fail")


class ExecutionNotRedrivable(JsonRESTError):
    """The execution can't be redriven; the message says why, in Step Functions' words where it has them."""

    def __init__(self, reason: str) -> None:
        super().__init__("ExecutionNotRedrivable", reason)


@dataclass(frozen=True)
class Resumption:
    """Where an execution goes on: the state's name and input, and the history up to there."""

    state: str
    state_input: Any
    events: list[dict[str, Any]]


def refusal(status: ExecutionStatus, ended_for: datetime.timedelta = datetime.timedelta(), events: int = 0) -> str | None:
    """Why an execution can't be redriven, as `redriveStatusReason` says it; None when it can."""
    if status in (ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED):
        return f"Execution is {status.value} and cannot be redriven"
    if events >= MOST_EVENTS:
        return "Execution history event limit exceeded"
    if ended_for > datetime.timedelta(days=DAYS):
        return "Execution redrivable period exceeded"
    return None


def resumption(definition: str, events: list[dict[str, Any]]) -> Resumption:
    """Raises ExecutionNotRedrivable when the execution ended inside a Parallel or a Map."""
    states: Mapping[str, Any] = json.loads(definition)["States"]
    entered = [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]
    last = next(details for details in reversed(entered) if details["name"] in states)
    kind = states[last["name"]]["Type"]
    if kind not in WHOLE_STATES:
        raise ExecutionNotRedrivable(f"The emulator can't redrive an execution that ended in a {kind} ({last['name']}); AWS can.")
    return Resumption(last["name"], json.loads(last["input"]), events)


def resume(env: Any, where: Resumption, redrives: int) -> None:
    """Makes a new environment the continuation: the same history, with one more event, and the state's own input."""
    manager = env.event_manager
    manager._history_event_list = list(where.events)
    manager._event_id_gen._next_id = len(where.events) + 1
    env.event_history_context = EventHistoryContext(previous_event_id=len(where.events))
    manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.ExecutionRedriven,
        event_details=EventDetails(executionRedrivenEventDetails={"redriveCount": redrives}),
    )
    manager.enters_again = True
    env.states.context_object.context_object_data["Execution"] |= {"RedriveCount": redrives, "RedriveTime": now_iso()}
    env.states.reset(input_value=where.state_input)
    env.resume_at = where.state
