"""Takes policies apart, one action, resource or condition at a time, and counts what is missed."""

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
    """Every way to take a single action or a single resource out of a policy: what is missing, and what is left."""
    for index, statement in enumerate(policy):
        for element in ("Action", "Resource"):
            values = as_list(statement[element])
            for value in values:
                rest = [other for other in values if other != value]
                left = [{**statement, element: rest}] if rest else []
                yield f"{value} of statement {index + 1}", [*policy[:index], *left, *policy[index + 1 :]]


def without_one_condition(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """Every way to drop a single condition: its key (in AWS's documented spelling), and what is left."""
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
    """The first refusal when a role with this policy and no other makes the calls; None when it may make them all."""
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
    """Counts mutations, and keeps those that nothing missed."""

    by_us: int = 0
    by_platform: int = 0
    survived: list[str] = field(default_factory=list)

    def numbers(self) -> list[int]:
        """Missed by what we do, by AWS's platform alone, by nothing."""
        return [self.by_us, self.by_platform, len(self.survived)]

    def judge(self, what: str, missed: object, by_platform: object = None) -> None:
        """Counts one mutation, by whether what we do, or else what AWS's platform does, comes to grief without it."""
        if missed:
            self.by_us += 1
        elif by_platform:
            self.by_platform += 1
        else:
            self.survived.append(what)
