"""The alarms: every counter, function and workflow has one, or a reason in docs/operations.md why not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tools.sam_template import Template

from .conftest import ROOT, functions

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NAMESPACE = "Imagewatch"


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: entry.get("Properties", {}) for name, entry in template.resources.items() if entry["Type"] == kind}


def counters() -> set[str]:
    """Every metric that the functions count: the first argument of observability.count."""
    return {name for path in sorted((ROOT / "functions").rglob("*.py")) for name in counted(path.read_text(encoding="utf-8"))}


def counted(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "count" and isinstance(value := node.args[0].value, str) and re.fullmatch(r"([A-Z][a-z]+)+", value):
                yield value


def with_an_alarm(template: Template) -> set[str]:
    """Counters, and logical ids of functions and workflows, that an alarm watches."""
    watched = set()
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        if alarm["Namespace"] == NAMESPACE:
            watched.add(alarm["MetricName"])
        elif alarm["Namespace"] in ("AWS/Lambda", "AWS/States"):
            watched |= {entry["Value"]["Ref"] for entry in alarm.get("Dimensions", [])}
    return watched


def without_an_alarm() -> set[str]:
    """The names in the first column of the table "Without an alarm"; each row has a reason."""
    table = OPERATIONS.partition("Without an alarm, and why:")[2].partition("|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\w+(?:, \w+)*) \| (.+) \|$", table, re.MULTILINE)
    assert rows
    assert all(len(reason) > 10 for _, reason in rows)
    return {name for names, _ in rows for name in names.split(", ")}


def test_every_counter_function_and_workflow_has_an_alarm_or_a_reason(template: Template) -> None:
    subjects = counters() | set(functions(template)) | set(of_type(template, "AWS::StepFunctions::StateMachine"))
    watched, excused = with_an_alarm(template) & subjects, without_an_alarm()
    assert subjects - watched == excused, "alarms and the table in docs/operations.md don't agree"


def test_every_counter_is_explained_in_the_operations_manual(template: Template) -> None:
    assert [name for name in sorted(counters()) if f"`{name}`" not in OPERATIONS] == []


def test_an_alarm_counts_only_metrics_that_the_functions_write(template: Template) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert {alarm["MetricName"] for alarm in alarms.values() if alarm["Namespace"] == NAMESPACE} <= counters()


@pytest.mark.parametrize("source", ['count("RulesInvalid")', 'observability.count("RulesInvalid", 3)'])
def test_a_counter_is_found_in_the_source(source: str) -> None:
    assert list(counted(f"text.count('a')\n{source}\n")) == ["RulesInvalid"]


# Alarm: (namespace, metric, subject, statistic, seconds, periods, threshold), and why this number.
DEFINITIONS = {
    "DeadLettersAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "DeadLetterQueue", "Maximum", 60, 1, 1),
    "ExecutionsFailedAlarm": ("AWS/States", "ExecutionsFailed", "AnalyzeImageStateMachine", "Sum", 300, 1, 1),
    "ExecutionsTimedOutAlarm": ("AWS/States", "ExecutionsTimedOut", "AnalyzeImageStateMachine", "Sum", 300, 1, 1),
    # A quarter of an hour: a failed run is repeated after a minute.
    "CountsDelayedAlarm": ("AWS/Lambda", "Errors", "IndexChangesFunction", "Sum", 300, 3, 1),
    # An hour: a shorter backlog is normal after a large upload.
    "IntakeDelayedAlarm": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "IntakeQueue", "Maximum", 300, 1, 3600),
    # Twice ten: the workflow retries single refusals.
    "ThrottlesAlarm": ("AWS/Lambda", "Throttles", "ValidateImageFunction", "Sum", 300, 2, 10),
    # Each invocation is an alert that was not sent.
    "AlertsFailedAlarm": ("AWS/Lambda", "Invocations", "RecordAlertFailureFunction", "Sum", 300, 1, 1),
    "AlertsRefusedAlarm": (NAMESPACE, "AlertsFailed", "", "Sum", 300, 1, 1),
    "DigestsFailedAlarm": ("AWS/Lambda", "Errors", "SendDigestFunction", "Sum", 300, 1, 1),
    "InterruptionsUnrecordedAlarm": ("AWS/Lambda", "Errors", "RecordInterruptionFunction", "Sum", 300, 1, 1),
    # Two of three runs: the next run makes up for one that failed.
    "ReconciliationFailedAlarm": ("AWS/Lambda", "Errors", "ReconcileImagesFunction", "Sum", 900, 3, 1),
    "ModerationMissingAlarm": (NAMESPACE, "ModerationMissing", "", "Sum", 300, 1, 1),
    "RulesInvalidAlarm": (NAMESPACE, "RulesInvalid", "", "Maximum", 300, 1, 1),
    "RulesOmittedAlarm": (NAMESPACE, "RulesOmitted", "", "Sum", 300, 1, 1),
    "DeadChannelAlarm": (NAMESPACE, "ChannelsDead", "", "Maximum", 300, 1, 1),
    "ChannelChecksFailedAlarm": ("AWS/Lambda", "Errors", "CheckChannelsFunction", "Sum", 300, 1, 1),
    # Five: a client repeats a single failed request.
    "ApiFailedAlarm": ("AWS/ApiGateway", "5xx", "Api", "Sum", 300, 1, 5),
}


def subject(alarm: dict[str, Any]) -> str:
    """The logical id of what the alarm's only dimension names; empty for the stack's counters."""
    (dimension,) = alarm["Dimensions"]
    value = dimension["Value"]
    if value == {"Ref": "AWS::StackName"}:
        return ""
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


def test_each_alarm_watches_what_it_is_named_after_with_a_considered_threshold(template: Template) -> None:
    found = {
        name: (
            alarm["Namespace"],
            alarm["MetricName"],
            subject(alarm),
            alarm["Statistic"],
            int(alarm["Period"]),
            int(alarm["EvaluationPeriods"]),
            int(alarm["Threshold"]),
        )
        for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items()
    }
    assert found == DEFINITIONS


def test_every_alarm_is_raised_at_its_threshold_and_silent_without_data(template: Template) -> None:
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold", name
        assert alarm["TreatMissingData"] == "notBreaching", name
        needed = 2 if name == "ReconciliationFailedAlarm" else alarm["EvaluationPeriods"]
        assert alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]) == needed, name
