"""The state machines: reachable states, timeouts, the retry law, a Catch for everything, and errors that exist."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Any

import pytest

from imagewatch import errors
from tools.sam_template import Template

from .conftest import ROOT, State, all_states, functions, pascal, scopes, tasks

AWS_ERRORS = re.compile(r"^(States|Lambda|Sandbox|Runtime)\.\w+$")
LAMBDA_SERVICE_ERRORS = {
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
}
"""AWS Step Functions developer guide, "Handle Lambda service exceptions": retry these four."""
TRANSIENT = {kind.__name__ for kind in errors.TransientError.__subclasses__()}
NEVER_RAISED = "TextDetectionRequested"
AFTER_ANALYZE_IMAGE = {"off": "Store Analysis", "on": "Detect Text"}


def targets(state: State) -> set[str]:
    named = {state.get("Next"), state.get("Default")}
    named |= {entry["Next"] for entry in [*state.get("Choices", []), *state.get("Catch", [])]}
    return {name for name in named if name}


def error_names(state: State) -> set[str]:
    return {name for entry in [*state.get("Retry", []), *state.get("Catch", [])] for name in entry["ErrorEquals"]}


def test_every_state_machine_of_the_folder_is_tested_here(workflow: State, apply_rule: State, template: Template) -> None:
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "statemachine").glob("*"))]
    assert files == [workflow, apply_rule]
    assert set(definitions(template)) == {"analyze_image", "apply_rule"}


def definitions(template: Template) -> dict[str, dict[str, Any]]:
    """The state machines' resources, by their file's name."""
    found = [entry["Properties"] for entry in template.resources.values() if entry["Type"] == "AWS::StepFunctions::StateMachine"]
    return {PurePath(properties["DefinitionS3Location"]["Key"]).name.split(".")[0]: properties for properties in found}


@pytest.mark.parametrize("setting", ["off", "on"])
def test_every_state_can_be_reached_and_every_target_exists(machine: State, setting: str) -> None:
    """Step Functions refuses a definition otherwise (MISSING_TRANSITION_TARGET)."""
    for scope in scopes(machine):
        reached, ahead = set(), {scope["StartAt"]}
        while ahead:
            name = ahead.pop()
            name = AFTER_ANALYZE_IMAGE[setting] if name == "${AfterAnalyzeImage}" else name
            if name not in reached:
                reached.add(name)
                ahead |= targets(scope["States"][name])
        assert reached == set(scope["States"])


def test_the_parameter_text_detection_decides_what_follows_analyze_image(template: Template) -> None:
    properties = template.resources["AnalyzeImageStateMachine"]["Properties"]
    switch = properties["DefinitionSubstitutions"]["AfterAnalyzeImage"]
    assert switch == {"Fn::If": ["DetectsText", AFTER_ANALYZE_IMAGE["on"], AFTER_ANALYZE_IMAGE["off"]]}


def test_substitutions_are_complete_and_none_is_left_over(template: Template) -> None:
    for name, properties in definitions(template).items():
        text = (ROOT / "statemachine" / f"{name}.asl.json").read_text(encoding="utf-8")
        assert set(re.findall(r"\$\{(\w+)\}", text)) == set(properties["DefinitionSubstitutions"]), name


def test_state_names_are_unique_across_branches(machine: State) -> None:
    names = [name for scope in scopes(machine) for name in scope["States"]]
    assert len(names) == len(set(names))


def test_the_timeout_of_each_task_is_longer_than_that_of_its_function(machine: State, template: Template) -> None:
    for name, state in tasks(machine).items():
        assert state["TimeoutSeconds"] > functions(template)[f"{pascal(name)}Function"]["Timeout"], name
    assert machine["TimeoutSeconds"] > 0


def test_each_task_has_the_two_retry_blocks(machine: State) -> None:
    for name, state in tasks(machine).items():
        short, long = state["Retry"]
        assert long["ErrorEquals"] == ["Throttled", "Lambda.TooManyRequestsException"], name
        assert set(short["ErrorEquals"]) >= LAMBDA_SERVICE_ERRORS, name
        assert long["MaxAttempts"] > short["MaxAttempts"], name
        for block in (short, long):
            assert (block["JitterStrategy"], block["BackoffRate"]) == ("FULL", 2), name
            assert block["MaxDelaySeconds"] > 0, name


def test_no_permanent_error_is_retried(machine: State) -> None:
    for name, state in all_states(machine).items():
        ours = {error for entry in state.get("Retry", []) for error in entry["ErrorEquals"] if not AWS_ERRORS.match(error)}
        assert ours <= TRANSIENT, name


def test_each_task_and_each_parallel_catches_everything(workflow: State) -> None:
    for name, state in all_states(workflow).items():
        if state["Type"] in ("Task", "Parallel"):
            last = state["Catch"][-1]
            assert last["ErrorEquals"] == ["States.ALL"], name
            assert last["ResultPath"].startswith("$."), f"{name} would lose its input"


def test_every_error_that_the_workflow_names_exists(machine: State) -> None:
    vocabulary = {name for name, value in vars(errors).items() if isinstance(value, type)}
    for name, state in all_states(machine).items():
        unknown = {error for error in error_names(state) if not AWS_ERRORS.match(error)} - vocabulary - {NEVER_RAISED}
        assert not unknown, f"{name} names {unknown}"


def test_no_code_raises_the_error_that_keeps_detect_text_reachable() -> None:
    for path in (ROOT / "functions").rglob("*.py"):
        assert NEVER_RAISED not in path.read_text(encoding="utf-8"), path


def test_a_failed_backfill_can_be_redriven_from_the_step_that_failed(apply_rule: State) -> None:
    """A redrive continues from the state in which an execution ended; a Catch would lead to a Fail state."""
    assert all("Catch" not in state for state in all_states(apply_rule).values())
    assert "Fail" not in {state["Type"] for state in all_states(apply_rule).values()}
    page = apply_rule["States"]["Evaluate Page"]
    assert (page["ResultPath"], page["Parameters"]["Progress.$"]) == ("$.progress", "$.progress")


def test_a_backfill_waits_until_no_watchlist_in_memory_is_older_than_it(apply_rule: State, template: Template) -> None:
    substitutions = definitions(template)["apply_rule"]["DefinitionSubstitutions"]
    kept = functions(template)["EvaluateWatchlistFunction"]["Environment"]["Variables"]["WATCHLIST_MAX_AGE_SECONDS"]
    assert substitutions["WatchlistMaxAgeSeconds"] == kept == {"Ref": "WatchlistMaxAgeSeconds"}
    begin, wait = (apply_rule["States"][name] for name in ("Begin", "Await Watchlist"))
    assert (begin["ResultPath"], wait["SecondsPath"]) == ("$.progress", "$.progress.WaitSeconds")
    assert "${WatchlistMaxAgeSeconds}" in begin["Parameters"]["WaitSeconds.$"]


def test_a_backfill_hands_over_long_before_its_history_is_full(apply_rule: State, template: Template) -> None:
    """AWS, Step Functions service quotas: an execution's history has at most 25,000 events."""
    pages = int(definitions(template)["apply_rule"]["DefinitionSubstitutions"]["MaxPagesOfAnExecution"])
    events_of_a_page = 7  # the task's state entered, scheduled, started, succeeded, exited; the choice's entered, exited
    assert pages * events_of_a_page < 25_000 * 0.6
    assert apply_rule["States"]["Evaluate Page"]["Parameters"]["StateMachineArn.$"] == "$$.StateMachine.Id"
    first, more = (apply_rule["States"][name]["Choices"] for name in ("Continued?", "More Pages?"))
    assert [choice["Next"] for choice in more] == ["Applied", "Continued"]
    assert [(choice["Variable"], choice["Next"]) for choice in first] == [("$.progress", "Evaluate Page")]


def test_a_backfill_may_not_call_rekognition_or_read_originals(template: Template) -> None:
    policies = str(template.resources["EvaluatePageRole"]["Properties"])
    assert "dynamodb:Scan" in policies
    assert "rekognition" not in policies
    assert "ImagesBucket" not in policies


def test_no_image_is_left_in_progress(workflow: State) -> None:
    """Every end of the workflow has written the record, or is a Fail state that EventBridge reports."""
    writers = {"Store Analysis", "Record Rejection", "Record Failure"}
    for name, state in workflow["States"].items():
        for entry in state.get("Catch", []):
            if entry["ErrorEquals"] == ["States.ALL"]:
                target = entry["Next"]
                assert target in {*writers, "Text Unavailable", "Failed Unrecorded", "Record Alert Failure", "Analyzed"}, name
                assert target != "Record Alert Failure" or name == "Send Alert"
                assert target != "Analyzed" or name == "Record Alert Failure"


def test_the_alarm_on_alerts_counts_what_the_catch_of_send_alert_starts(workflow: State, template: Template) -> None:
    """Send Alert raises errors that its next attempt resolves, so its own Errors would raise a false alarm."""
    (caught,) = workflow["States"]["Send Alert"]["Catch"]
    assert (caught["ErrorEquals"], caught["Next"]) == (["States.ALL"], "Record Alert Failure")
    alarm = template.resources["AlertsFailedAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == (
        "AWS/Lambda", "Invocations", "Sum", 1,
    )  # fmt: skip
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "RecordAlertFailureFunction"}}]


def test_jsonpath_only(machine: State) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            assert not {"QueryLanguage", "Assign", "Arguments", "Output"} & set(value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(machine)
