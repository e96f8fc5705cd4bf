"""An execution's history as steps: its states in order, with durations, attempts and errors.

Times are in ISO 8601. Names that end in Ms are in milliseconds. Source of the events: Step Functions API reference, HistoryEvent.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

_FAILED = ("TaskFailed", "TaskTimedOut", "LambdaFunctionFailed", "LambdaFunctionTimedOut", "TaskStartFailed")
_STATE_FAILED = ("ParallelStateFailed", "MapStateFailed")
_EXECUTION_ENDED = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")
_ATTEMPT = ("TaskScheduled", "LambdaFunctionScheduled")


def steps(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each entered state: State, Type, Within (the enclosing states), Status, times, Attempts with errors.

    Status is RUNNING, SUCCEEDED, FAILED or ABORTED. A state whose error was caught is FAILED.
    """
    found: dict[int, dict[str, Any]] = {}
    state_of_event: dict[int, int] = {}
    for event in events:
        before = state_of_event.get(event.get("previousEventId", 0))
        if event["type"].endswith("StateEntered"):
            found[event["id"]] = _entered(event, found[before] if before else None)
            state_of_event[event["id"]] = event["id"]
        elif event["type"] in _STATE_FAILED:
            _fail_newest(found, event)
        elif state := _left(event, found) or before:
            state_of_event[event["id"]] = state
            _record(event, found[state])
    ended = next((event for event in reversed(events) if event["type"] in _EXECUTION_ENDED), None)
    for step in found.values():
        _finish(step, ended)
    return list(found.values())


def _fail_newest(found: dict[int, dict[str, Any]], event: dict[str, Any]) -> None:
    """Mark the newest Parallel or Map state that hasn't exited: the event doesn't name its state."""
    kind = event["type"].removesuffix("StateFailed")
    step = next((step for step in reversed(found.values()) if step["Type"] == kind and "ExitedAt" not in step), None)
    if step:
        step["Status"], step["FailedAt"] = "FAILED", iso(event["timestamp"])


def _finish(step: dict[str, Any], ended: dict[str, Any] | None) -> None:
    """Set the status, and the times of a state that never exited although its execution has ended."""
    attempts = step["Attempts"]
    failed_at = step.pop("FailedAt", None)
    if step["Type"] == "Fail" or "Error" in (attempts[-1] if attempts else step):
        step["Status"] = "FAILED"
    if "ExitedAt" not in step and ended:
        failed = step.get("Status") == "FAILED"
        step["Status"] = "FAILED" if failed or ended["type"] == "ExecutionTimedOut" else "ABORTED"
        step["ExitedAt"] = failed_at or (step["EnteredAt"] if step["Type"] == "Fail" else iso(ended["timestamp"]))
        step["DurationMs"] = _between(step["EnteredAt"], step["ExitedAt"])
    step.setdefault("Status", "SUCCEEDED" if "ExitedAt" in step else "RUNNING")


def _entered(event: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "State": event["stateEnteredEventDetails"]["name"],
        "Type": event["type"].removesuffix("StateEntered"),
        "Within": _within(before),
        "EnteredAt": iso(event["timestamp"]),
        "Input": event["stateEnteredEventDetails"].get("input"),
        "Attempts": [],
    }


def _within(before: dict[str, Any] | None) -> list[str]:
    """The enclosing states: the previous state is one of them if it is a Parallel or Map that hasn't exited."""
    if before is None:
        return []
    inside = before["Type"] in ("Parallel", "Map") and "ExitedAt" not in before
    return [*before["Within"], before["State"]] if inside else list(before["Within"])


def _left(event: dict[str, Any], found: dict[int, dict[str, Any]]) -> int | None:
    """The id of the state that an exit event closes, found by name: branches run in parallel."""
    if not event["type"].endswith("StateExited"):
        return None
    name = event["stateExitedEventDetails"]["name"]
    return next((n for n, s in found.items() if s["State"] == name and "ExitedAt" not in s), None)


def _record(event: dict[str, Any], step: dict[str, Any]) -> None:
    kind = event["type"]
    details = details_of(event)
    if kind.endswith("StateExited"):
        step["ExitedAt"] = iso(event["timestamp"])
        step["DurationMs"] = _between(step["EnteredAt"], step["ExitedAt"])
        step["Output"] = details.get("output")
    elif kind in _ATTEMPT:
        step["Attempts"].append({"At": iso(event["timestamp"])})
    elif kind in _FAILED:
        attempt = step["Attempts"][-1] if step["Attempts"] else step
        attempt["Error"] = details.get("error")
        attempt["Cause"] = cause_of(details.get("cause"))
        attempt["DurationMs"] = _between(attempt.get("At", step["EnteredAt"]), iso(event["timestamp"]))


def details_of(event: dict[str, Any]) -> dict[str, Any]:
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


def cause_of(cause: str | None) -> str | None:
    """The errorMessage of a cause that is JSON, as Lambda's causes are, or the cause itself."""
    if not cause:
        return None
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause
    return str(parsed["errorMessage"]) if isinstance(parsed, dict) and parsed.get("errorMessage") else cause


def iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    return round((end - start).total_seconds() * 1000) if start and end else None


def _between(start: str | None, end: str | None) -> int | None:
    return milliseconds(datetime.fromisoformat(start), datetime.fromisoformat(end)) if start and end else None
