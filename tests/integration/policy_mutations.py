"""Removes one action, resource or condition at a time from policies, and counts which removals a refused call detects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.emulator.iam.evaluation import Denial, Role, authorize, authorize_missing
from tools.sam_template import ACCOUNT_ID

from .recorded_calls import Sent

Statement = Mapping[str, Any]
Policy = Sequence[Statement]


def without_one(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """Every removal of a single action or resource from a policy: (what was removed, the rest)."""
    for index, statement in enumerate(policy):
        for element in ("Action", "Resource"):
            values = as_list(statement[element])
            for value in values:
                rest = [other for other in values if other != value]
                left = [{**statement, element: rest}] if rest else []
                yield f"{value} of statement {index + 1}", [*policy[:index], *left, *policy[index + 1 :]]


def without_one_condition(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """Every removal of a single condition: (its key in AWS's documented spelling, the rest)."""
    for index, statement in enumerate(policy):
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                rest = {name: value for name, value in keys.items() if name != key}
                conditions = {**statement["Condition"], operator: rest}
                left = {**statement, "Condition": {name: values for name, values in conditions.items() if values}}
                yield f"aws:{key.split(':', 1)[1]}", [*policy[:index], left, *policy[index + 1 :]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def refused(calls: Sequence[Sent], policy: Policy) -> Denial | None:
    """The first refusal when a role with only this policy makes the calls; None when all are allowed."""
    role = Role("mutated", f"arn:aws:iam::{ACCOUNT_ID}:role/mutated", policy)
    for made in calls:
        denial = authorize(made.call, role)
        if denial is None and made.found_nothing:
            denial = authorize_missing(made.call, role)
        if denial:
            return denial
    return None


@dataclass
class Tally:
    """Counts mutations, and collects those that nothing detected."""

    by_us: int = 0
    by_platform: int = 0
    survived: list[str] = field(default_factory=list)

    def numbers(self) -> list[int]:
        """[needed by Imagewatch, needed by AWS's platform alone, needed by nothing]."""
        return [self.by_us, self.by_platform, len(self.survived)]

    def judge(self, what: str, needed: object, by_platform: object = None) -> None:
        """Counts one mutation: whether a call of Imagewatch (`needed`), or only one of AWS's platform, is refused without it."""
        if needed:
            self.by_us += 1
        elif by_platform:
            self.by_platform += 1
        else:
            self.survived.append(what)
