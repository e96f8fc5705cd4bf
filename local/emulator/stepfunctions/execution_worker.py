"""Changes to the worker that runs one execution in moto: how it starts, how it resumes, and what its history records."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStartedEventDetails, HistoryEventExecutionDataDetails, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from local.emulator.stepfunctions import redrive
from local.emulator.timestamps import iso


def install(ended: Callable[[BaseExecutionWorkerCommunication], None]) -> None:
    """Replace moto's worker, once for the process. `ended` is called when the interpreter's thread ends."""
    ExecutionWorker.start = _start
    ExecutionWorker._execution_logic = _run
    Execution.get_start_execution_details = _with_iso_start(Execution.get_start_execution_details)
    BaseExecutionWorkerCommunication.terminated = lambda communication: ended(communication)
    EventManager.add_event = _unless_closed(EventManager.add_event)


def redrive_count(execution: Execution) -> int:
    """How often the execution was redriven."""
    return int(getattr(execution, "redrive_count", 0))


def _start(worker: ExecutionWorker) -> None:
    # StopExecution can arrive before the thread runs, so the environment is created first.
    worker.env = worker._get_evaluation_environment()
    worker.env.states.context_object.context_object_data["Execution"]["RedriveCount"] = 0
    if resumption := getattr(worker, "resumption", None):
        redrive.resume(worker.env, resumption, redrive_count(worker._execution_communication.execution))
    # This marks the execution as running. moto marks it with its first state, and would ignore an earlier StopExecution.
    worker.env.next_state_name = json.loads(worker._evaluation_details.state_machine_details.definition)["StartAt"]
    threading.Thread(target=worker._execution_logic, name="execution", daemon=True).start()


def _run(worker: ExecutionWorker) -> None:
    if not hasattr(worker, "resumption"):
        _add_started_event(worker)
    try:
        worker._get_evaluation_entrypoint().eval(worker.env)
    except RuntimeError:  # moto raises it if the execution was stopped before its first state
        if worker.env.is_running():
            raise
    worker._execution_communication.terminated()


def _add_started_event(worker: ExecutionWorker) -> None:
    details = worker._evaluation_details
    started = ExecutionStartedEventDetails(
        input=json.dumps(details.execution_details.inpt, separators=(",", ":")),
        inputDetails=HistoryEventExecutionDataDetails(truncated=False),
        roleArn=details.aws_execution_details.role_arn,
    )
    worker.env.event_manager.add_event(
        context=worker.env.event_history_context,
        event_type=HistoryEventType.ExecutionStarted,
        event_details=EventDetails(executionStartedEventDetails=started),
        update_source_event_id=False,
    )


def _with_iso_start(original: Callable[..., Any]) -> Callable[..., Any]:
    """Make `$$.Execution.StartTime` a string. moto's datetime can't be written as JSON."""

    def details(execution: Execution) -> Any:
        found = original(execution)
        found.start_time = iso(execution.start_date)
        return found

    return details


def _unless_closed(original: Callable[..., int]) -> Callable[..., int]:
    """Add no events after an execution was aborted or timed out, although its last task still runs.

    A redriven execution continues in a state that it has entered already: the second entry isn't recorded.
    """

    def add_event(manager: EventManager, *args: Any, **named: Any) -> int:
        if getattr(manager, "closed", False):
            return 0
        if getattr(manager, "skips_next_entry", False) and "stateEnteredEventDetails" in (named.get("event_details") or {}):
            manager.skips_next_entry = False
            return len(manager._history_event_list)
        return original(manager, *args, **named)

    return add_event
