"""Executions from start to end: names, timeouts, StopExecution, history pages, logs and status change events.

The states themselves are run by moto's interpreter (see asl_interpreter). What moto leaves out of an execution's life is
added here: an index by name and ARN, a timeout that takes effect at once, an abort that doesn't wait for the running task, a
redrive (see redrive).
"""

from __future__ import annotations

import copy
import datetime
import heapq
import itertools
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from moto.core.config import default_user_config
from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import ExecutionAlreadyExists, ExecutionDoesNotExist, InvalidExecutionInput
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError, ProgramRunning
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local.emulator.archive import Archive
from local.emulator.stepfunctions import redrive
from local.emulator.timestamps import iso, milliseconds

log = logging.getLogger(__name__)

Publish = Callable[[str, str, list[str], dict[str, Any]], None]
WriteLog = Callable[[str, str, str], None]
PAGE = 100
ARCHIVED = ("input_data", "execution_input", "output")  # attributes of an execution
EXECUTION_DATA = ("input", "inputDetails", "output", "outputDetails")
CLOSED = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.ABORTED, ExecutionStatus.TIMED_OUT)
ENDINGS = {
    ExecutionStatus.ABORTED: (HistoryEventType.ExecutionAborted, "executionAbortedEventDetails"),
    ExecutionStatus.TIMED_OUT: (HistoryEventType.ExecutionTimedOut, "executionTimedOutEventDetails"),
}


class Executions:
    """Every execution of the stack. `publish` sends an event to the bus, `write_log(group, stream, line)` logs history.

    What an ended execution did and with what goes to the archive.
    """

    def __init__(self, publish: Publish, write_log: WriteLog, archive: Archive) -> None:
        self._publish = publish
        self._write_log = write_log
        self._archive = archive
        self._snapshots: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._by_arn: dict[str, Execution] = {}
        self._watchdog = Watchdog()
        self._started = 0
        self._ended = 0

    def install(self) -> None:
        """Put this in the place of moto's own handling, once for the process."""
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        executions = self

        def start_execution(
            backend: Any, state_machine_arn: str, name: str | None = None, execution_input: str | None = None, **_: Any
        ) -> Execution:
            return executions.start(backend, state_machine_arn, name or str(uuid.uuid4()), execution_input or "{}")

        def describe_execution(backend: Any, execution_arn: str) -> Execution:
            backend._validate_execution_arn(execution_arn)
            return executions.find(execution_arn)

        StepFunctionsParserBackend.start_execution = start_execution
        StepFunctionsParserBackend.describe_execution = describe_execution
        ExecutionWorker.start = _start_worker
        ExecutionWorker._execution_logic = _run_program
        Execution.get_start_execution_details = _with_iso_start(Execution.get_start_execution_details)
        BaseExecutionWorkerCommunication.terminated = lambda told: executions.ended(told)
        EventManager.add_event = _unless_closed(EventManager.add_event)
        _install_responses(self)

    def start(self, backend: Any, machine_arn: str, name: str, execution_input: str) -> Execution:
        """Same name and input while running gives the running one; any other use of the name is refused."""
        backend._validate_name(name)
        machine = backend.describe_state_machine(machine_arn)
        arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            json.loads(execution_input)
        except ValueError as error:
            raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error
        with self._lock:
            if known := self._by_arn.get(arn):
                if known.exec_status == ExecutionStatus.RUNNING and known.execution_input == execution_input:
                    return known
                raise ExecutionAlreadyExists(f"Execution Already Exists: '{arn}'")
            execution = _new_execution(backend, self._snapshot(machine), name, arn, execution_input)
            self._by_arn[arn] = execution
            machine.executions.append(execution)
            self._started += 1
            execution.start()
        self._watch(execution)
        self._announce(execution)
        return execution

    def redrive(self, execution_arn: str) -> Execution:
        """Goes on with an execution that ended badly; raises ExecutionNotRedrivable."""
        execution = self.find(execution_arn)
        with self._lock:
            if reason := self.not_redrivable(execution):
                raise redrive.ExecutionNotRedrivable(reason)
            where = redrive.resumption(execution.state_machine.definition, _events_of(execution))
            execution.redrives = _redrives(execution) + 1
            execution.redrive_date = datetime.datetime.now(datetime.UTC)
            _take_out(execution)
            execution.exec_worker = worker = execution._get_start_execution_worker()
            worker.resumption = where
            execution.stop_date = execution.error = execution.cause = None
            execution.exec_status = ExecutionStatus.RUNNING
            self._ended -= 1
            worker.start()
        self._watch(execution)
        self._announce(execution)
        return execution

    def not_redrivable(self, execution: Execution) -> str | None:
        """Why an execution can't be redriven; None when it can."""
        if execution.exec_status in (ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED):
            return redrive.refusal(execution.exec_status)
        since = datetime.datetime.now(datetime.UTC) - execution.stop_date
        return redrive.refusal(execution.exec_status, since, len(_events_of(execution)))

    def _watch(self, execution: Execution) -> None:
        """Ends this attempt when it takes too long; a redriven execution's time begins anew."""
        program, _ = AmazonStateLanguageParser.parse(execution.state_machine.definition)
        attempt = _redrives(execution)
        if program.timeout_seconds:
            self._watchdog.after(program.timeout_seconds.timeout_seconds, lambda: self._time_out(execution, attempt))

    def _snapshot(self, machine: Any) -> Any:
        """The definition and role as they are now; nothing below the machine is changed in place. One for many executions."""
        known = self._snapshots.get(machine.arn)
        if known is None or known.__dict__ != machine.__dict__:
            known = self._snapshots[machine.arn] = copy.copy(machine)
        return known

    def find(self, execution_arn: str) -> Execution:
        try:
            return self._by_arn[execution_arn]
        except KeyError:
            raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{execution_arn}'") from None

    def stop(self, execution_arn: str, error: str | None, cause: str | None) -> Execution:
        """Abort at once; a task that is running finishes unheard, as on AWS."""
        execution = self.find(execution_arn)
        env = execution.exec_worker.env
        with self._lock:
            if execution.exec_status == ExecutionStatus.RUNNING and isinstance(env._program_state, ProgramRunning):
                env.set_stop(stop_date=datetime.datetime.now(datetime.UTC), cause=cause, error=error)
                execution.error, execution.cause = error, cause
                self._close(execution, ExecutionStatus.ABORTED)
        return execution

    def _time_out(self, execution: Execution, attempt: int) -> None:
        with self._lock:
            if execution.exec_status != ExecutionStatus.RUNNING or _redrives(execution) != attempt:
                return
            env = execution.exec_worker.env
            if isinstance(env._program_state, ProgramRunning):
                env.set_timed_out()
                self._close(execution, ExecutionStatus.TIMED_OUT)

    def ended(self, told: BaseExecutionWorkerCommunication) -> None:
        """The interpreter's thread has come to its end."""
        execution: Execution = told.execution
        with self._lock:
            worker = execution.exec_worker
            if getattr(worker, "_execution_communication", None) is not told:
                return  # aborted or timed out, and redriven since
            state = worker.env.program_state()
            if execution.exec_status != ExecutionStatus.RUNNING:
                pass  # aborted or timed out
            elif isinstance(state, ProgramEnded):
                execution.output = worker.env.states.get_input()
                self._close(execution, ExecutionStatus.SUCCEEDED)
            elif isinstance(state, ProgramError):
                execution.error = state.error.get("error")
                execution.cause = state.error.get("cause")
                self._close(execution, ExecutionStatus.FAILED)
            _put_away(execution, self._archive)

    def _close(self, execution: Execution, status: ExecutionStatus) -> None:
        env = execution.exec_worker.env
        if status in ENDINGS:
            event_type, member = ENDINGS[status]
            details = {key: value for key, value in (("error", execution.error), ("cause", execution.cause)) if value}
            env.event_manager.add_event(
                context=env.event_history_context, event_type=event_type, event_details=EventDetails(**{member: details})
            )
        env.event_manager.closed = True
        execution.stop_date = datetime.datetime.now(datetime.UTC)
        execution.exec_status = status
        self._ended += 1
        self._log_history(execution)
        self._announce(execution)

    def _announce(self, execution: Execution) -> None:
        machine = execution.state_machine
        stop = execution.stop_date
        succeeded = execution.exec_status == ExecutionStatus.SUCCEEDED
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": machine.arn,
            "stateMachineVersionArn": None,
            "stateMachineAliasArn": None,
            "name": execution.name,
            "status": execution.exec_status.value,
            "startDate": milliseconds(execution.start_date),
            "stopDate": milliseconds(stop) if stop else None,
            "input": execution.execution_input,
            "inputDetails": {"included": True},
            "output": json.dumps(execution.output, separators=(",", ":")) if succeeded else None,
            "outputDetails": {"included": True} if succeeded else None,
            "error": execution.error,
            "cause": execution.cause,
        }
        self._publish("aws.states", "Step Functions Execution Status Change", [execution.exec_arn], detail)

    def _log_history(self, execution: Execution) -> None:
        """What the state machine's LoggingConfiguration asks for, in the form that Step Functions writes."""
        settings = execution.state_machine.loggingConfiguration
        level = settings.get("level", "OFF")
        destinations = settings.get("destinations") or []
        if level == "OFF" or not destinations:
            return
        group = destinations[0]["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6]
        stream = f"states/{execution.state_machine.name}/{execution.start_date:%Y-%m-%d-%H-%M}/{execution.name[-8:]}"
        known = getattr(execution, "logged_events", 0)
        events = _events_of(execution)
        for event in events[known:]:
            if _is_logged(str(event["type"].value), level):
                self._write_log(group, stream, _history_line(event, execution, settings))
        execution.logged_events = len(events)

    def counts(self) -> dict[str, int]:
        return {"started": self._started, "running": self._started - self._ended}


def _events_of(execution: Execution) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = execution.exec_worker.env.event_manager.get_event_history()
    return events


def _redrives(execution: Execution) -> int:
    return int(getattr(execution, "redrives", 0))


def _is_logged(event_type: str, level: str) -> bool:
    if level == "ALL":
        return True
    bad = event_type.endswith(("Failed", "TimedOut", "Aborted"))
    return bad and (level == "ERROR" or event_type.startswith("Execution"))


def _history_line(event: dict[str, Any], execution: Execution, settings: dict[str, Any]) -> str:
    details: dict[str, Any] = next((item for key, item in event.items() if key.endswith("EventDetails")), {})
    if not settings.get("includeExecutionData", False):
        details = {key: value for key, value in details.items() if key not in (*EXECUTION_DATA, "cause")}
    line = {
        "id": str(event["id"]),
        "type": event["type"].value,
        "details": details,
        "previous_event_id": str(event["previousEventId"]),
        "event_timestamp": str(event["timestamp"]),
        "execution_arn": execution.exec_arn,
    }
    return json.dumps(line, default=str)


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    def bare(details: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in details.items() if key not in EXECUTION_DATA}

    return {key: bare(value) if key.endswith("EventDetails") else value for key, value in event.items()}


class _Execution(Execution):
    """moto's, with what is only asked for one at a time in the archive once it has ended."""

    def __getattr__(self, name: str) -> Any:
        if name in ARCHIVED and "exec_worker" in self.__dict__:
            return self.exec_worker.env.event_manager.attributes()[name]
        raise AttributeError(name)


def _new_execution(backend: Any, snapshot: Any, name: str, arn: str, execution_input: str) -> Execution:
    return _Execution(
        name=name,
        sm_type=snapshot.sm_type,
        role_arn=snapshot.roleArn,
        exec_arn=arn,
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=snapshot,
        start_date=datetime.datetime.now(datetime.UTC),
        cloud_watch_logging_session=None,
        input_data=execution_input,
        activity_store={},
    )


def _start_worker(worker: ExecutionWorker) -> None:
    # The environment is made before the thread: StopExecution may come first.
    worker.env = worker._get_evaluation_environment()
    worker.env.states.context_object.context_object_data["Execution"]["RedriveCount"] = 0
    if where := getattr(worker, "resumption", None):
        redrive.resume(worker.env, where, _redrives(worker._execution_communication.execution))
    # It counts as running from here on: moto's would only with its first state, and what is stopped before that would go on.
    worker.env.next_state_name = json.loads(worker._evaluation_details.state_machine_details.definition)["StartAt"]
    threading.Thread(target=worker._execution_logic, name="execution", daemon=True).start()


def _run_program(worker: ExecutionWorker) -> None:
    if not hasattr(worker, "resumption"):
        _note_start(worker)
    try:
        worker._get_evaluation_entrypoint().eval(worker.env)
    except RuntimeError:  # how moto refuses a first state when the execution has been stopped already
        if worker.env.is_running():
            raise
    worker._execution_communication.terminated()


def _note_start(worker: ExecutionWorker) -> None:
    from moto.stepfunctions.parser.api import ExecutionStartedEventDetails, HistoryEventExecutionDataDetails

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
    """`$$.Execution.StartTime` is text in the context; moto's datetime breaks JSON."""

    def details(execution: Execution) -> Any:
        found = original(execution)
        found.start_time = iso(execution.start_date)
        return found

    return details


def _unless_closed(original: Callable[..., int]) -> Callable[..., int]:
    """An aborted or timed-out execution's history ends there, whatever its last task still does.

    A redriven one goes on in its state: that isn't entered a second time.
    """

    def add_event(manager: EventManager, *args: Any, **named: Any) -> int:
        if getattr(manager, "closed", False):
            return 0
        if getattr(manager, "enters_again", False) and "stateEnteredEventDetails" in (named.get("event_details") or {}):
            manager.enters_again = False
            return len(manager._history_event_list)
        return original(manager, *args, **named)

    return add_event


def _install_responses(executions: Executions) -> None:
    def stop_execution(response: Any) -> ActionResult:
        error, cause = response._get_param("error"), response._get_param("cause")
        execution = executions.stop(response._get_param("executionArn"), error, cause)
        return ActionResult({"stopDate": execution.stop_date})

    def get_execution_history(response: Any) -> ActionResult:
        events = executions.find(response._get_param("executionArn")).to_history_output()["events"]
        if response._get_param("reverseOrder"):
            events = events[::-1]
        first = int(response._get_param("nextToken") or 0)
        last = first + int(response._get_param("maxResults") or PAGE)
        token = str(last) if last < len(events) else None
        page = events[first:last]
        if response._get_param("includeExecutionData") is False:
            page = [_without_data(event) for event in page]
        return ActionResult({"events": page, "nextToken": token})

    def describe_execution(response: Any) -> ActionResult:
        execution = executions.find(response._get_param("executionArn"))
        described = {key: value for key, value in execution.to_describe_output().items() if value is not None}
        reason = executions.not_redrivable(execution)
        described |= {"redriveCount": _redrives(execution), "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE"}
        described |= {"redriveStatusReason": reason} if reason else {}
        described |= {"redriveDate": execution.redrive_date} if _redrives(execution) else {}
        return ActionResult(described)

    def redrive_execution(response: Any) -> ActionResult:
        return ActionResult({"redriveDate": executions.redrive(response._get_param("executionArn")).redrive_date})

    StepFunctionResponse.stop_execution = stop_execution
    StepFunctionResponse.get_execution_history = get_execution_history
    StepFunctionResponse.describe_execution = describe_execution
    StepFunctionResponse.redrive_execution = redrive_execution


class _Archived:
    """The history of an ended execution, in the archive: its events repeat the same input and output many times over."""

    def __init__(self, archive: Archive, execution: Execution) -> None:
        self._archive = archive
        self._history = archive.put(execution.exec_worker.env.event_manager.get_event_history())
        self._attributes = archive.put({name: execution.__dict__[name] for name in ARCHIVED})

    def get_event_history(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self._archive.get(self._history)
        return events

    def attributes(self) -> dict[str, Any]:
        attributes: dict[str, Any] = self._archive.get(self._attributes)
        return attributes


def _put_away(execution: Execution, archive: Archive) -> None:
    """Leave in memory what is still asked of every ended execution; the rest is let go."""
    env = execution.exec_worker.env
    kept = SimpleNamespace(
        event_manager=_Archived(archive, execution),
        callback_pool_manager=env.callback_pool_manager,
        map_run_record_pool_manager=env.map_run_record_pool_manager,
    )
    execution.exec_worker = SimpleNamespace(env=kept)
    for name in ARCHIVED:
        execution.__dict__.pop(name)


def _take_out(execution: Execution) -> None:
    """The opposite, for an execution that goes on; nothing where it was never put away."""
    execution.__dict__.update({name: getattr(execution, name) for name in ARCHIVED})


class Watchdog:
    """One thread for every execution's timeout."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="execution-timeouts", daemon=True).start()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), action))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, action = heapq.heappop(self._due)
            action()
