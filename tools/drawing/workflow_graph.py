"""Reads a workflow's definition as a graph: states, and labelled arrows between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Options = Mapping[str, list[tuple[str, str]]]

COMPARISONS = {
    "GreaterThanEquals": "≥",
    "LessThanEquals": "≤",
    "GreaterThan": ">",
    "LessThan": "<",
    "Equals": "=",
    "Matches": "is like",
}


class DrawingError(Exception):
    """The picture can't be drawn: it contradicts its source, or the source has an unsupported structure."""


@dataclass
class Arrow:
    """An arrow between two states. `kind` is "next", or "catch" for an arrow after an error."""

    source: str
    target: str
    kind: str
    label: str = ""
    optional: bool = False


@dataclass
class State:
    """A state. `retries` describes its Retry entries. `branches` are the workflows inside a Parallel or Map."""

    name: str
    type: str
    comment: str
    retries: str = ""
    branches: list[Machine] = field(default_factory=list)
    optional: bool = False


@dataclass
class Machine:
    """A workflow, or one branch of it."""

    start: str
    comment: str
    states: dict[str, State]
    arrows: list[Arrow]

    def leaving(self, name: str, kind: str | None = None) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.source == name and kind in (None, arrow.kind)]

    def reaching(self, name: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.target == name]


def read_machine(definition: Json, options: Options) -> Machine:
    """The graph of an ASL definition. `options` lists the possible targets of each ${Substitution}: [(state, label), ...].

    Raises DrawingError for an arrow to a missing state.
    """
    states = {name: _state(name, body, options) for name, body in definition["States"].items()}
    arrows = [arrow for name, body in definition["States"].items() for arrow in _arrows(name, body, options)]
    machine = Machine(definition["StartAt"], definition.get("Comment", ""), states, arrows)
    for arrow in arrows:
        if arrow.target not in states:
            raise DrawingError(f'"{arrow.source}" leads to "{arrow.target}", which is not a state of the same workflow')
    for name, state in states.items():
        reaching = machine.reaching(name)
        state.optional = bool(reaching) and all(arrow.optional for arrow in reaching)
    return machine


def first_sentence(comment: str) -> str:
    return re.split(r"(?<=[.!?])\s", comment, maxsplit=1)[0]


def _state(name: str, body: Json, options: Options) -> State:
    inner = body.get("Branches") or [body[key] for key in ("ItemProcessor", "Iterator") if key in body]
    retries = "; ".join(f"{entry.get('MaxAttempts', 3)} times after {_errors(entry)}" for entry in body.get("Retry", []))
    return State(name, body["Type"], body.get("Comment", ""), retries, [read_machine(part, options) for part in inner])


def _errors(entry: Json) -> str:
    names = entry["ErrorEquals"]
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} and the like"


def _arrows(name: str, body: Json, options: Options) -> list[Arrow]:
    arrows = [Arrow(name, rule["Next"], "next", _condition(rule)) for rule in body.get("Choices", [])]
    if "Default" in body:
        arrows.append(Arrow(name, body["Default"], "next", "otherwise"))
    if "Next" in body:
        arrows += _following(name, body["Next"], options)
    caught: list[Arrow] = []
    for entry in body.get("Catch", []):
        known = [arrow for arrow in arrows if arrow.target == entry["Next"]]
        label = _caught(entry, others=bool(caught))
        if not known:
            caught.append(Arrow(name, entry["Next"], "catch", label))
        elif not known[0].optional:  # the same target as the normal path: one arrow for both
            known[0].label = f"also after {label}"
    return arrows + caught


def _following(name: str, target: str, options: Options) -> list[Arrow]:
    if not target.startswith("${"):
        return [Arrow(name, target, "next")]
    if target[2:-1] not in options:
        raise DrawingError(f'"{name}" leads to {target}: the template has no such substitution')
    return [Arrow(name, state, "next", label, optional=True) for state, label in options[target[2:-1]]]


def _caught(entry: Json, others: bool) -> str:
    if "States.ALL" in entry["ErrorEquals"]:
        return "any other error" if others else "any error"
    return ", ".join(entry["ErrorEquals"])


def _condition(rule: Json) -> str:
    """A choice rule as text: $.verdict.MatchCount NumericGreaterThan 0 -> "match count > 0"."""
    for word, key in ((" and ", "And"), (" or ", "Or")):
        if key in rule:
            return word.join(_condition(part) for part in rule[key])
    if "Not" in rule:
        return f"not {_condition(rule['Not'])}"
    subject = _words(rule.get("Variable", "").rsplit(".", 1)[-1])
    operator, value = next((key, value) for key, value in rule.items() if key not in ("Variable", "Next", "Comment"))
    if operator == "BooleanEquals":
        return subject if value else f"not {subject}"
    if operator.startswith("Is"):
        return f"{subject} is {'' if value else 'not '}{_words(operator[2:])}"
    sign = next((sign for ending, sign in COMPARISONS.items() if operator.removesuffix("Path").endswith(ending)), operator)
    return f"{subject} {sign} {value}"


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def options_of(template: Json, state_machine: str) -> dict[str, list[tuple[str, str]]]:
    """The possible values of the state machine's DefinitionSubstitutions, labelled with the parameter's value."""
    substitutions = template["Resources"][state_machine]["Properties"]["DefinitionSubstitutions"]
    options = {}
    for name, value in substitutions.items():
        if isinstance(value, str):
            options[name] = [(value, "")]
        elif "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            when, otherwise = _labels(template, condition)
            options[name] = [(yes, when), (no, otherwise)]
    return options


def _labels(template: Json, condition: str) -> tuple[str, str]:
    definition = template["Conditions"][condition]
    if "Fn::Equals" not in definition:
        return condition, f"not {condition}"
    parameter, wanted = definition["Fn::Equals"][0]["Ref"], definition["Fn::Equals"][1]
    others = [value for value in template["Parameters"][parameter].get("AllowedValues", []) if value != wanted]
    otherwise = f"is {others[0]}" if len(others) == 1 else f"is not {wanted}"
    return f"{parameter} is {wanted}", f"{parameter} {otherwise}"
