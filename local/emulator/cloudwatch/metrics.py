"""Metrics that alarms read: data points by metric, and metrics in the log lines of functions (embedded metric format)."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RETENTION_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Metric:
    """The identity of a metric: namespace, name and the set of its dimensions."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        return cls(namespace, name, frozenset(dimensions.items()))


@dataclass
class Statistics:
    """The statistics of the values of a period."""

    count: int = 0
    total: float = 0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        self.merge(Statistics(1, value, value, value))

    def merge(self, other: Statistics) -> None:
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)

    def value(self, statistic: str) -> float | None:
        """The value of Sum, Average, Minimum, Maximum or SampleCount. None without data."""
        if not self.count:
            return None
        values = {"Sum": self.total, "Minimum": self.least, "Maximum": self.most, "SampleCount": float(self.count)}
        return self.total / self.count if statistic == "Average" else values[statistic]


class Metrics:
    """The values of the last hours, summed up by second. Thread-safe. Times are in seconds since the epoch."""

    def __init__(self) -> None:
        self._seconds: dict[Metric, dict[int, Statistics]] = defaultdict(dict)
        self._lock = threading.Lock()

    def record(self, metric: Metric, value: float, at: float) -> None:
        with self._lock:
            seconds = self._seconds[metric]
            seconds.setdefault(int(at), Statistics()).add(value)
            while (oldest := next(iter(seconds))) < at - RETENTION_SECONDS:
                del seconds[oldest]

    def periods(self, metric: Metric, period: int, count: int, now: float) -> list[Statistics]:
        """The statistics of the last `count` periods of `period` seconds, the newest last. The newest ends at `now`."""
        found = [Statistics() for _ in range(count)]
        with self._lock:
            for second, statistics in self._seconds.get(metric, {}).items():
                back = int((now - second) // period)
                if 0 <= back < count:
                    found[count - 1 - back].merge(statistics)
        return found


def embedded_metrics(line: str) -> Iterator[tuple[Metric, float]]:
    """The metrics in a log line, with each of their values. Other lines have none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if '"_aws"' not in line:
        return
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(document.get(name, "")) for name in names}
            for definition in directive.get("Metrics", []):
                for value in _values(document.get(definition["Name"])):
                    yield Metric.of(directive["Namespace"], definition["Name"], dimensions), value


def _values(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [float(one) for one in values if isinstance(one, int | float)]
