"""The history of an execution: its events, their log lines, and the archive for ended executions."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from moto.stepfunctions.parser.backend.execution import Execution

from local.emulator.archive import Archive

ARCHIVED = ("input_data", "execution_input", "output")
"""Attributes of an execution that are archived when it ends."""
EXECUTION_DATA = ("input", "inputDetails", "output", "outputDetails")

Event = dict[str, Any]


class ArchivableExecution(Execution):
    """moto's execution. After `archive_history` its archived attributes are read from the archive."""

    def __getattr__(self, name: str) -> Any:
        if name in ARCHIVED and "exec_worker" in self.__dict__:
            return self.exec_worker.env.event_manager.attributes()[name]
        raise AttributeError(name)


class _ArchivedHistory:
    """Replaces the event manager of an ended execution. Events repeat the same input and output many times."""

    def __init__(self, archive: Archive, execution: Execution) -> None:
        self._archive = archive
        self._events = archive.put(events_of(execution))
        self._attributes = archive.put({name: execution.__dict__[name] for name in ARCHIVED})

    def get_event_history(self) -> list[Event]:
        events: list[Event] = self._archive.get(self._events)
        return events

    def attributes(self) -> dict[str, Any]:
        attributes: dict[str, Any] = self._archive.get(self._attributes)
        return attributes


def events_of(execution: Execution) -> list[Event]:
    """All events of the execution so far."""
    events: list[Event] = execution.exec_worker.env.event_manager.get_event_history()
    return events


def archive_history(execution: Execution, archive: Archive) -> None:
    """Move the history and the data of an ended execution to the archive, and release its environment."""
    env = execution.exec_worker.env
    kept = SimpleNamespace(
        event_manager=_ArchivedHistory(archive, execution),
        callback_pool_manager=env.callback_pool_manager,
        map_run_record_pool_manager=env.map_run_record_pool_manager,
    )
    execution.exec_worker = SimpleNamespace(env=kept)
    for name in ARCHIVED:
        execution.__dict__.pop(name)


def restore_data(execution: Execution) -> None:
    """Load the archived attributes again, for an execution that is redriven."""
    execution.__dict__.update({name: getattr(execution, name) for name in ARCHIVED})


def is_logged(event_type: str, level: str) -> bool:
    """Whether a state machine with this log level logs events of this type.

    https://docs.aws.amazon.com/step-functions/latest/dg/cloudwatch-log-level.html
    """
    if level == "ALL":
        return True
    failed = event_type.endswith(("Failed", "TimedOut", "Aborted"))
    return failed and (level == "ERROR" or event_type.startswith("Execution"))


def log_line(event: Event, execution: Execution, settings: dict[str, Any]) -> str:
    """The event as Step Functions logs it, with data only if `settings` (LoggingConfiguration) include it."""
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


def without_data(event: Event) -> Event:
    """The event without inputs and outputs, for GetExecutionHistory with includeExecutionData false."""

    def reduced(details: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in details.items() if key not in EXECUTION_DATA}

    return {key: reduced(value) if key.endswith("EventDetails") else value for key, value in event.items()}
