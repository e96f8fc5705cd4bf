"""Alarms: the values of periods, their evaluation, and metrics in log lines."""

from __future__ import annotations

import json

import pytest

from local.emulator.cloudwatch.evaluation import evaluate
from local.emulator.cloudwatch.metrics import RETENTION_SECONDS, Metric, Metrics, embedded_metrics

ERRORS = Metric.of("AWS/Lambda", "Errors", {"FunctionName": "act"})
OTHER = Metric.of("AWS/Lambda", "Errors", {"FunctionName": "other"})


def state(
    *values: float | None, comparison: str = "GreaterThanOrEqualToThreshold", needed: int = 0, missing: str = "missing"
) -> str | None:
    found = evaluate(values, comparison=comparison, threshold=5, datapoints_to_alarm=needed or len(values), missing=missing)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", "OK", "ALARM", "ALARM"),
        ("GreaterThanThreshold", "OK", "OK", "ALARM"),
        ("LessThanThreshold", "ALARM", "OK", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
    ],
)
def test_each_comparison_decides_at_the_threshold(comparison: str, below: str, equal: str, above: str) -> None:
    assert [state(value, comparison=comparison) for value in (4.9, 5, 5.1)] == [below, equal, above]


def test_an_alarm_needs_as_many_breaching_datapoints_as_it_says() -> None:
    assert state(9, 1, 9, needed=2) == "ALARM"
    assert state(9, 1, 1, needed=2) == "OK"
    assert state(9, 9, 1) == "OK"


@pytest.mark.parametrize(
    ("missing", "none", "some"),
    [
        ("missing", "INSUFFICIENT_DATA", "OK"),
        ("notBreaching", "OK", "OK"),
        ("breaching", "ALARM", "OK"),
        ("ignore", None, None),
    ],
)
def test_missing_data_is_treated_as_the_alarm_says(missing: str, none: str | None, some: str | None) -> None:
    assert state(None, None, missing=missing) == none
    assert state(None, 1, missing=missing) == some


def test_values_are_summed_up_in_periods_that_end_now() -> None:
    metrics = Metrics()
    for at, value in ((899, 7), (930, 1), (959, 2), (961, 4), (1019, 6)):
        metrics.record(ERRORS, value, at)
    metrics.record(OTHER, 100, 1000)

    older, newer = metrics.periods(ERRORS, 60, 2, now=1019.5)

    assert [older.value(name) for name in ("Sum", "SampleCount", "Maximum")] == [3, 2, 2]
    assert [newer.value(name) for name in ("Sum", "Average", "Minimum", "Maximum")] == [10, 5, 4, 6]


def test_old_values_are_forgotten() -> None:
    metrics = Metrics()
    metrics.record(ERRORS, 1, 1000)
    metrics.record(ERRORS, 1, 1001 + RETENTION_SECONDS)

    assert len(metrics._seconds[ERRORS]) == 1
    assert [one.value("Sum") for one in metrics.periods(OTHER, 60, 1, now=1000)] == [None]


def test_a_log_line_in_the_embedded_metric_format_has_metrics() -> None:
    definitions = [{"Name": "Sent", "Unit": "Count"}, {"Name": "Absent"}]
    directive = {"Namespace": "App", "Dimensions": [["service"], ["service", "kind"]], "Metrics": definitions}
    line = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, "service": "a", "kind": "b", "Sent": [1, 2.5]}

    found = list(embedded_metrics(json.dumps(line)))

    by_service, by_both = Metric.of("App", "Sent", {"service": "a"}), Metric.of("App", "Sent", {"service": "a", "kind": "b"})
    assert found == [(by_service, 1), (by_service, 2.5), (by_both, 1), (by_both, 2.5)]


@pytest.mark.parametrize("line", ["plain", '{"level": "INFO"}', '{"_aws"', '{"_aws": null}', '["_aws"]', '{"_aws": {}}'])
def test_other_log_lines_have_no_metrics(line: str) -> None:
    assert list(embedded_metrics(line)) == []
