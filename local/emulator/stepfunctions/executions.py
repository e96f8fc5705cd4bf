"""Executions from start to end: names, timeouts, StopExecution, redrive, logs and status change events.

moto's interpreter runs the states (see interpreter). This module adds an index by ARN, timeouts that take effect immediately,
aborts that don't wait for the running task, and redrive.
"""

from __future__ import annotations

import copy
import datetime
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.config import default_user_config
from moto.stepfunctions.exceptions import ExecutionAlreadyExists, ExecutionDoesNotExist, InvalidExecutionInput
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError, ProgramRunning
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from local.emulator.archive import Archive
from local.emulator.stepfunctions import execution_worker, redrive, responses
from local.emulator.stepfunctions.execution_worker import redrive_count
from local.emulator.stepfunctions.history import (
    ArchivableExecution,
    archive_history,
    events_of,
    restore_data,
)
from local.emulator.stepfunctions.reports import WriteLog, log_new_events, status_change
from local.emulator.stepfunctions.timers import Timers

Publish = Callable[[str, str, list[str], dict[str, Any]], None]
ENDING_EVENTS = {
    ExecutionStatus.ABORTED: (HistoryEventType.ExecutionAborted, "executionAbortedEventDetails"),
    ExecutionStatus.TIMED_OUT: (HistoryEventType.ExecutionTimedOut, "executionTimedOutEventDetails"),
}


class Executions:
    """All executions of the stack's state machines.

    `publish(source, detail type, resources, detail)` sends an event to the event bus. `write_log(group, stream, line)` writes a
    log line. The history and data of ended executions are moved to `archive`.
    """

    def __init__(self, publish: Publish, write_log: WriteLog, archive: Archive) -> None:
        self._publish = publish
        self._write_log = write_log
        self._archive = archive
        self._snapshots: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._by_arn: dict[str, Execution] = {}
        self._timers = Timers()
        self._started = 0
        self._ended = 0

    def install(self) -> None:
        """Replace moto's handling of executions, once for the process."""
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
        execution_worker.install(self.worker_ended)
        responses.install(self)

    def start(self, backend: Any, machine_arn: str, name: str, execution_input: str) -> Execution:
        """Start an execution. While one with the same name and input runs, return it; otherwise a used name is an error."""
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
        self._set_timeout(execution)
        self._publish_status(execution)
        return execution

    def redrive(self, execution_arn: str) -> Execution:
        """Continue an execution that failed, timed out or was aborted. Raises ExecutionNotRedrivable."""
        execution = self.find(execution_arn)
        with self._lock:
            if reason := self.not_redrivable_reason(execution):
                raise redrive.ExecutionNotRedrivable(reason)
            resumption = redrive.resumption(execution.state_machine.definition, events_of(execution))
            execution.redrive_count = redrive_count(execution) + 1
            execution.redrive_date = datetime.datetime.now(datetime.UTC)
            restore_data(execution)
            execution.exec_worker = worker = execution._get_start_execution_worker()
            worker.resumption = resumption
            execution.stop_date = execution.error = execution.cause = None
            execution.exec_status = ExecutionStatus.RUNNING
            self._ended -= 1
            worker.start()
        self._set_timeout(execution)
        self._publish_status(execution)
        return execution

    @staticmethod
    def redrive_count(execution: Execution) -> int:
        """How often the execution was redriven."""
        return redrive_count(execution)

    def not_redrivable_reason(self, execution: Execution) -> str | None:
        """The reason why the execution can't be redriven, or None."""
        if execution.exec_status in (ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED):
            return redrive.not_redrivable_reason(execution.exec_status)
        since = datetime.datetime.now(datetime.UTC) - execution.stop_date
        return redrive.not_redrivable_reason(execution.exec_status, since, len(events_of(execution)))

    def _set_timeout(self, execution: Execution) -> None:
        """Set the timer of the state machine's TimeoutSeconds. It starts again with each redrive."""
        program, _ = AmazonStateLanguageParser.parse(execution.state_machine.definition)
        attempt = redrive_count(execution)
        if program.timeout_seconds:
            self._timers.after(program.timeout_seconds.timeout_seconds, lambda: self._time_out(execution, attempt))

    def _snapshot(self, machine: Any) -> Any:
        """The state machine as it is now. Executions share a snapshot until the state machine changes."""
        known = self._snapshots.get(machine.arn)
        if known is None or known.__dict__ != machine.__dict__:
            known = self._snapshots[machine.arn] = copy.copy(machine)
        return known

    def find(self, execution_arn: str) -> Execution:
        """The execution with this ARN. Raises ExecutionDoesNotExist."""
        try:
            return self._by_arn[execution_arn]
        except KeyError:
            raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{execution_arn}'") from None

    def stop(self, execution_arn: str, error: str | None, cause: str | None) -> Execution:
        """Abort an execution immediately. The result of a running task is ignored, as on AWS."""
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
            if execution.exec_status != ExecutionStatus.RUNNING or redrive_count(execution) != attempt:
                return
            env = execution.exec_worker.env
            if isinstance(env._program_state, ProgramRunning):
                env.set_timed_out()
                self._close(execution, ExecutionStatus.TIMED_OUT)

    def worker_ended(self, communication: BaseExecutionWorkerCommunication) -> None:
        """Record the outcome of an execution whose interpreter thread has ended, and archive its history."""
        execution: Execution = communication.execution
        with self._lock:
            worker = execution.exec_worker
            if getattr(worker, "_execution_communication", None) is not communication:
                return  # aborted or timed out, and redriven since
            state = worker.env.program_state()
            running = execution.exec_status == ExecutionStatus.RUNNING
            if running and isinstance(state, ProgramEnded):
                execution.output = worker.env.states.get_input()
                self._close(execution, ExecutionStatus.SUCCEEDED)
            elif running and isinstance(state, ProgramError):
                execution.error = state.error.get("error")
                execution.cause = state.error.get("cause")
                self._close(execution, ExecutionStatus.FAILED)
            archive_history(execution, self._archive)

    def _close(self, execution: Execution, status: ExecutionStatus) -> None:
        env = execution.exec_worker.env
        if status in ENDING_EVENTS:
            event_type, member = ENDING_EVENTS[status]
            details = {key: value for key, value in (("error", execution.error), ("cause", execution.cause)) if value}
            env.event_manager.add_event(
                context=env.event_history_context, event_type=event_type, event_details=EventDetails(**{member: details})
            )
        env.event_manager.closed = True
        execution.stop_date = datetime.datetime.now(datetime.UTC)
        execution.exec_status = status
        self._ended += 1
        log_new_events(execution, self._write_log)
        self._publish_status(execution)

    def _publish_status(self, execution: Execution) -> None:
        self._publish("aws.states", "Step Functions Execution Status Change", [execution.exec_arn], status_change(execution))

    def counts(self) -> dict[str, int]:
        """The numbers of started and running executions."""
        return {"started": self._started, "running": self._started - self._ended}


def _new_execution(backend: Any, snapshot: Any, name: str, arn: str, execution_input: str) -> Execution:
    return ArchivableExecution(
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
