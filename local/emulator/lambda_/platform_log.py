"""The log lines that Lambda writes for an invocation, in the function's log format (JSON or Text).

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

import json
import math

from local.emulator.lambda_.functions import Function
from local.emulator.timestamps import now_iso


def start_lines(function: Function, request_id: str) -> list[str]:
    """The lines at the start of an invocation. None in JSON if the system log level is WARN."""
    if function.log_format != "JSON":
        return [f"START RequestId: {request_id} Version: $LATEST"]
    if function.system_log_level == "WARN":
        return []
    return [_event("platform.start", {"requestId": request_id, "functionArn": function.arn, "version": "$LATEST"})]


def report_lines(function: Function, request_id: str, seconds: float, status: str, message: str) -> list[str]:
    """The lines at the end of an invocation. `status` is "success", "error" or "timeout"; `message` is the error, if any."""
    milliseconds = round(seconds * 1000, 2)
    billed = math.ceil(seconds * 1000)
    if function.log_format == "JSON":
        if function.system_log_level == "WARN" and status == "success":
            return []
        metrics = {"durationMs": milliseconds, "billedDurationMs": billed, "memorySizeMB": function.memory}
        record: dict[str, object] = {"requestId": request_id, "metrics": metrics, "status": status}
        if message:
            record["errorMessage"] = message
        return [_event("platform.report", record)]
    lines = [f"RequestId: {request_id} Error: {message}"] if message else []
    summary = f"Duration: {milliseconds} ms\tBilled Duration: {billed} ms\tMemory Size: {function.memory} MB"
    return [*lines, f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}\t{summary}"]


def _event(kind: str, record: dict[str, object]) -> str:
    return json.dumps({"time": now_iso(), "type": kind, "record": record})
