"""How often a rule is right, and which thresholds would have kept every right alert while sparing wrong ones.

An alert counts as right until a user marks it ("not this"). Suppressed alerts were not sent and don't count. The proposal is
careful: for each term it is the lowest confidence among the right alerts, so that every one of them keeps every match it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from imagewatch.rules.model import DEFAULT_CONFIDENCE
from uploader.alerts.stored_alert import StoredAlert

SEEN = ("SENT", "DIGESTED")
FEW = 10
"""With fewer right alerts than this, a proposal says little about those to come."""

_STEP = Decimal("0.1")


@dataclass(frozen=True)
class Judged:
    """One alert that people have seen: the highest confidence for each of its terms, and whether it was right."""

    confidences: Mapping[str, float]
    """Term (casefolded) -> confidence, 0-100."""
    is_right: bool


@dataclass(frozen=True)
class Proposal:
    """A threshold for one term. `threshold` None: whatever this term brought was wrong, so that no threshold would help."""

    term: str
    threshold: float | None
    now: float | None
    """The rule's present threshold, where the term is still in the rule."""


@dataclass(frozen=True)
class Precision:
    """A rule's record, and what it would be with the proposals."""

    right: int
    wrong: int
    spared: int
    """How many of the wrong ones the proposals would have spared people."""
    proposals: Sequence[Proposal]

    @property
    def precision(self) -> float | None:
        """The share of right alerts, 0-1; None without alerts."""
        return _share(self.right, self.wrong)

    @property
    def precision_then(self) -> float | None:
        """The share with the proposals: no right alert is lost, `spared` wrong ones are."""
        return _share(self.right, self.wrong - self.spared)


@dataclass(frozen=True)
class RuleTerms:
    """What a rule looks for now, by term (casefolded)."""

    thresholds: Mapping[str, float] = field(default_factory=dict)
    """The confidence that a match must have, 0-100."""
    needed: frozenset[str] = frozenset()
    """The terms that must all match."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> RuleTerms:
        """Reads a record of the watchlist, of which the rest may be invalid."""
        needed = item.get("AllOf", [])
        terms = [*item.get("AnyOf", item.get("Terms", [])), *needed]
        thresholds = {str(term["Term"]).casefold(): float(term.get("MinConfidence", DEFAULT_CONFIDENCE)) for term in terms}
        return cls(thresholds, frozenset(str(term["Term"]).casefold() for term in needed))


def judged(alerts: Iterable[StoredAlert]) -> list[Judged]:
    """The alerts of one rule that people have seen."""
    found = []
    for alert in alerts:
        if alert.status in SEEN and alert.rule and alert.rule.matches:
            highest: dict[str, float] = {}
            for match in alert.rule.matches:
                term = match.term.casefold()
                highest[term] = max(highest.get(term, 0.0), match.confidence)
            found.append(Judged(highest, is_right=alert.mark is None))
    return found


def measure(alerts: Sequence[Judged], rule: RuleTerms | None = None) -> Precision:
    """What the marks say about a rule. `rule` has its present terms, if it still exists."""
    rule = rule or RuleTerms()
    right = [alert for alert in alerts if alert.is_right]
    wrong = [alert for alert in alerts if not alert.is_right]
    floors = {term: _floor(right, term) for term in sorted({term for alert in wrong for term in alert.confidences})}
    raised = {term: floor for term, floor in floors.items() if floor is None or floor > rule.thresholds.get(term, 0)}
    spared = _spared(wrong, raised, rule.needed)
    for term in list(raised):  # a threshold that prevents no wrong alert is not proposed
        rest = {other: floor for other, floor in raised.items() if other != term}
        if _spared(wrong, rest, rule.needed) == spared:
            raised = rest
    return Precision(
        len(right), len(wrong), spared, [Proposal(term, floor, rule.thresholds.get(term)) for term, floor in raised.items()]
    )


def _floor(right: Sequence[Judged], term: str) -> float | None:
    """The lowest confidence that a right alert had for the term, to one decimal and never rounded up; None when none had it."""
    found = [alert.confidences[term] for alert in right if term in alert.confidences]
    return float(Decimal(str(min(found))).quantize(_STEP, ROUND_DOWN)) if found else None


def _spared(wrong: Sequence[Judged], floors: Mapping[str, float | None], needed: frozenset[str]) -> int:
    """How many wouldn't have matched: a term that the rule needs falls away, or every term does."""
    below = [{term for term, confidence in alert.confidences.items() if _falls(confidence, term, floors)} for alert in wrong]
    return sum(bool(fallen & needed) or fallen == set(alert.confidences) for alert, fallen in zip(wrong, below, strict=True))


def _falls(confidence: float, term: str, floors: Mapping[str, float | None]) -> bool:
    floor = floors.get(term, 0.0)
    return floor is None or confidence < floor


def _share(right: int, wrong: int) -> float | None:
    return right / (right + wrong) if right + wrong else None
