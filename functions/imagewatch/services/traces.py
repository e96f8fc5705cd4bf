"""How an image was analysed: the execution's states with their attempts, errors, inputs, outputs and times."""

from __future__ import annotations

from typing import Any

from imagewatch.aws import stepfunctions as executions
from imagewatch.images.trace import cause_of, iso, milliseconds, steps

MAX_VALUE = 20_000
"""Characters of an input or output that are returned: an execution of 15 states stays far below Lambda's limit of 6 MB."""


def trace(execution_arn: str, *, with_values: bool) -> dict[str, Any] | None:
    """The execution with its Steps; None when Step Functions has no such execution (it keeps them for 90 days).

    `with_values` includes the states' inputs and outputs.
    """
    found = executions.history(execution_arn)
    if found is None:
        return None
    described, events = found
    shown = {
        "ExecutionArn": execution_arn if with_values else None,
        "Status": described["status"],
        "StartedAt": iso(described.get("startDate")),
        "StoppedAt": iso(described.get("stopDate")),
        "DurationMs": milliseconds(described.get("startDate"), described.get("stopDate")),
        "Error": described.get("error"),
        "Cause": cause_of(described.get("cause")),
        "Steps": [_step(step, with_values) for step in steps(events)],
    }
    return {name: value for name, value in shown.items() if value is not None}


def _step(step: dict[str, Any], with_values: bool) -> dict[str, Any]:
    shown = {name: value for name, value in step.items() if value is not None and name not in ("Input", "Output")}
    for name in ("Input", "Output") if with_values else ():
        if value := step.get(name):
            shown[name] = value[:MAX_VALUE]
            if len(value) > MAX_VALUE:
                shown[f"{name}Truncated"] = True
    return shown
