"""The metrics that AWS services write about functions, executions and APIs, and those in the log lines of functions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from local.emulator.cloudwatch.metrics import Metric, Metrics, embedded_metrics

EXECUTION_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


class Measurements:
    """Records what happens now in `metrics`."""

    def __init__(self) -> None:
        self.metrics = Metrics()

    def invocation(self, function_name: str, failed: bool, seconds: float) -> None:
        values = {"Invocations": 1.0, "Errors": float(failed), "Duration": seconds * 1000}
        self._record("AWS/Lambda", {"FunctionName": function_name}, values)

    def throttle(self, function_name: str) -> None:
        self._record("AWS/Lambda", {"FunctionName": function_name}, {"Throttles": 1.0})

    def execution(self, machine_arn: str, status: str) -> None:
        self._record("AWS/States", {"StateMachineArn": machine_arn}, {EXECUTION_METRICS[status]: 1.0})

    def api(self, api_id: str, values: Mapping[str, float]) -> None:
        self._record("AWS/ApiGateway", {"ApiId": api_id}, values)

    def embedded(self, events: Iterable[tuple[int, str]]) -> None:
        """Record the metrics in log lines, each (milliseconds since the epoch, line)."""
        for at, line in events:
            for metric, value in embedded_metrics(line):
                self.metrics.record(metric, value, at / 1000)

    def _record(self, namespace: str, dimensions: Mapping[str, str], values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.metrics.record(Metric.of(namespace, name, dimensions), value, time.time())
