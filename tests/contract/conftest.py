"""Fixtures of the contract tests: template, workflow, functions, events and errors must agree. These tests only read files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.sam_template import Template, load_template

ROOT = Path(__file__).parents[2]
State = dict[str, Any]


@pytest.fixture(scope="session")
def template() -> Template:
    return load_template(ROOT / "template.yaml", {})


@pytest.fixture(scope="session")
def workflow() -> State:
    text = (ROOT / "statemachine" / "analyze_image.asl.json").read_text(encoding="utf-8")
    parsed: State = json.loads(text)  # valid JSON before any substitution
    return parsed


@pytest.fixture(scope="session")
def apply_rule() -> State:
    """The state machine that applies a rule to older images."""
    parsed: State = json.loads((ROOT / "statemachine" / "apply_rule.asl.json").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="session", params=["workflow", "apply_rule"])
def machine(request: pytest.FixtureRequest) -> State:
    """Each state machine there is."""
    found: State = request.getfixturevalue(request.param)
    return found


def scopes(machine: State) -> Iterator[State]:
    """The workflow and each branch inside it: everything with StartAt and States."""
    yield machine
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            yield from scopes(branch)


def all_states(machine: State) -> dict[str, State]:
    """Every state by name, branches included."""
    return {name: state for scope in scopes(machine) for name, state in scope["States"].items()}


def tasks(machine: State) -> dict[str, State]:
    return {name: state for name, state in all_states(machine).items() if state["Type"] == "Task"}


def pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split())


def snake(name: str) -> str:
    return "_".join(name.lower().split())


def functions(template: Template) -> dict[str, State]:
    """The template's Lambda functions after expansion: logical id -> properties."""
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in template.resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
