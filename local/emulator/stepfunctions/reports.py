"""What an execution reports: its status change event, and its log lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import Execution

from local.emulator.stepfunctions.history import events_of, is_logged, log_line
from local.emulator.timestamps import epoch_milliseconds

WriteLog = Callable[[str, str, str], None]
"""Writes (group, stream, line)."""


def status_change(execution: Execution) -> dict[str, Any]:
    """The detail of the event "Step Functions Execution Status Change"."""
    machine = execution.state_machine
    stop = execution.stop_date
    succeeded = execution.exec_status == ExecutionStatus.SUCCEEDED
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": machine.arn,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": execution.name,
        "status": execution.exec_status.value,
        "startDate": epoch_milliseconds(execution.start_date),
        "stopDate": epoch_milliseconds(stop) if stop else None,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": json.dumps(execution.output, separators=(",", ":")) if succeeded else None,
        "outputDetails": {"included": True} if succeeded else None,
        "error": execution.error,
        "cause": execution.cause,
    }


def log_new_events(execution: Execution, write_log: WriteLog) -> None:
    """Log the events that the state machine's LoggingConfiguration selects and that aren't logged yet."""
    settings = execution.state_machine.loggingConfiguration
    level = settings.get("level", "OFF")
    destinations = settings.get("destinations") or []
    if level == "OFF" or not destinations:
        return
    group = destinations[0]["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6]
    stream = f"states/{execution.state_machine.name}/{execution.start_date:%Y-%m-%d-%H-%M}/{execution.name[-8:]}"
    events = events_of(execution)
    for event in events[getattr(execution, "logged_events", 0) :]:
        if is_logged(str(event["type"].value), level):
            write_log(group, stream, log_line(event, execution, settings))
    execution.logged_events = len(events)
