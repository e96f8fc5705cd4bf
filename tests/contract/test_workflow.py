"""The workflow: reachable states, timeouts, the retry law, a Catch for everything, and errors that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest

from imagewatch import errors
from local.template import Template

from .conftest import ROOT, State, all_states, functions, pascal, scopes, tasks

AWS_ERRORS = re.compile(r"^(States|Lambda|Sandbox|Runtime)\.\w+$")
HEALED_BY_A_RETRY = {errors.Throttled.__name__, errors.Unavailable.__name__}
NOBODY_RAISES = "TextDetectionRequested"
AFTER_ANALYZE_IMAGE = {"off": "Store Analysis", "on": "Detect Text"}


def targets(state: State) -> set[str]:
    named = {state.get("Next"), state.get("Default")}
    named |= {entry["Next"] for entry in [*state.get("Choices", []), *state.get("Catch", [])]}
    return {name for name in named if name}


def error_names(state: State) -> set[str]:
    return {name for entry in [*state.get("Retry", []), *state.get("Catch", [])] for name in entry["ErrorEquals"]}


@pytest.mark.parametrize("setting", ["off", "on"])
def test_every_state_can_be_reached_and_every_target_exists(workflow: State, setting: str) -> None:
    """Step Functions refuses a definition otherwise (MISSING_TRANSITION_TARGET)."""
    for scope in scopes(workflow):
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


def test_substitutions_are_complete_and_none_is_left_over(workflow: State, template: Template) -> None:
    text = (ROOT / "statemachine" / "analyze_image.asl.json").read_text(encoding="utf-8")
    declared = set(template.resources["AnalyzeImageStateMachine"]["Properties"]["DefinitionSubstitutions"])
    assert set(re.findall(r"\$\{(\w+)\}", text)) == declared


def test_state_names_are_unique_across_branches(workflow: State) -> None:
    names = [name for scope in scopes(workflow) for name in scope["States"]]
    assert len(names) == len(set(names))


def test_each_task_waits_longer_than_its_function_may_run(workflow: State, template: Template) -> None:
    for name, state in tasks(workflow).items():
        assert state["TimeoutSeconds"] > functions(template)[f"{pascal(name)}Function"]["Timeout"], name
    assert workflow["TimeoutSeconds"] > 0


def test_each_task_follows_the_retry_law(workflow: State) -> None:
    for name, state in tasks(workflow).items():
        short, long = state["Retry"]
        assert long["ErrorEquals"] == ["Throttled"], name
        assert "Lambda.ServiceException" in short["ErrorEquals"], name
        assert "Lambda.TooManyRequestsException" in short["ErrorEquals"], name
        assert long["MaxAttempts"] > short["MaxAttempts"], name
        for block in (short, long):
            assert (block["JitterStrategy"], block["BackoffRate"]) == ("FULL", 2), name
            assert block["MaxDelaySeconds"] > 0, name


def test_no_refusal_is_ever_retried(workflow: State) -> None:
    for name, state in all_states(workflow).items():
        ours = {error for entry in state.get("Retry", []) for error in entry["ErrorEquals"] if not AWS_ERRORS.match(error)}
        assert ours <= HEALED_BY_A_RETRY, name


def test_each_task_and_each_parallel_catches_everything(workflow: State) -> None:
    for name, state in all_states(workflow).items():
        if state["Type"] in ("Task", "Parallel"):
            last = state["Catch"][-1]
            assert last["ErrorEquals"] == ["States.ALL"], name
            assert last["ResultPath"].startswith("$."), f"{name} would lose its input"


def test_every_error_that_the_workflow_names_exists(workflow: State) -> None:
    vocabulary = {name for name, value in vars(errors).items() if isinstance(value, type)}
    for name, state in all_states(workflow).items():
        unknown = {error for error in error_names(state) if not AWS_ERRORS.match(error)} - vocabulary - {NOBODY_RAISES}
        assert not unknown, f"{name} names {unknown}"


def test_the_error_that_keeps_detect_text_connected_is_raised_by_nobody() -> None:
    for path in (ROOT / "functions").rglob("*.py"):
        assert NOBODY_RAISES not in path.read_text(encoding="utf-8"), path


def test_no_image_is_left_in_progress(workflow: State) -> None:
    """Every way out of the workflow has written the record first, or is a Fail that EventBridge sees."""
    writers = {"Store Analysis", "Record Rejection", "Record Failure"}
    for name, state in workflow["States"].items():
        for entry in state.get("Catch", []):
            if entry["ErrorEquals"] == ["States.ALL"]:
                target = entry["Next"]
                assert target in {*writers, "Text Unavailable", "Failed Unrecorded", "Analyzed"}, name
                assert target != "Analyzed" or name == "Send Alert"


def test_jsonpath_only(workflow: State) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            assert not {"QueryLanguage", "Assign", "Arguments", "Output"} & set(value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(workflow)
