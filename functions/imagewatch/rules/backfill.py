"""A backfill: one rule applied to images that are stored already. Its request, its progress, and what it changes on a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imagewatch.errors import InvalidRule, InvalidRun, UnreadableRecord
from imagewatch.images.version import ImageVersion
from imagewatch.rules.fields import FLAG, MOMENT, Declaration, Field, FieldReader, Place, slug
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.rules.matching import Watchlist, truncate_to_state_limit
from imagewatch.timestamps import iso_utc

_COUNTS = ("Pages", "Examined", "Matched", "Recorded", "Cleared", "Skipped")


class RunFields:
    """The fields of a backfill's request."""

    RULE_ID = Field("RuleId", slug("the id of a rule on the watchlist, such as person-at-gate"), required=True)
    SINCE = Field("Since", MOMENT, default="")
    UNTIL = Field("Until", MOMENT, default="")
    ALERT = Field("Alert", FLAG, default=False)


RUN = Declaration(
    "a mapping with RuleId, and Since, Until and Alert if wanted",
    (RunFields.RULE_ID, RunFields.SINCE, RunFields.UNTIL, RunFields.ALERT),
)


@dataclass(frozen=True)
class BackfillRun:
    """Which rule to apply, to which images, and whether to alert."""

    rule_id: str
    since: str
    """The first time of upload that is included: ISO 8601, UTC, milliseconds; empty for all."""
    until: str
    """The first that isn't included."""
    alert: bool = False

    @classmethod
    def from_input(cls, values: Any, started_at: str) -> BackfillRun:
        """Reads an execution's `run`; `started_at` is when the execution started. Raises InvalidRun with every mistake."""
        try:
            fields = FieldReader(Place(label="The run"), values, RUN)
            run = cls(
                fields.take(RunFields.RULE_ID),
                fields.take(RunFields.SINCE),
                fields.take(RunFields.UNTIL) or iso_utc(datetime.fromisoformat(started_at)),
                fields.take(RunFields.ALERT),
            )
            fields.finish()
        except InvalidRule as error:
            raise InvalidRun(str(error)) from error
        if run.since >= run.until:
            raise InvalidRun(f"The run: Since must be before Until, but {run.since} isn't before {run.until}.")
        return run

    def to_input(self) -> dict[str, Any]:
        since = {"Since": self.since} if self.since else {}
        return {"RuleId": self.rule_id, **since, "Until": self.until, "Alert": self.alert}

    def includes(self, record: Mapping[str, Any]) -> bool:
        """Whether the record is that of an analysed image, uploaded in the run's time, that isn't being removed."""
        analysed = record.get("Status") == "ANALYZED" and "Lease" in record
        return analysed and self.since <= record.get("UploadedAt", "") < self.until


@dataclass
class Progress:
    """How far a backfill is. Each page receives it and returns it."""

    rule: dict[str, Any] | None = None
    """The rule's item as the first page read it, so that every page matches images against the same version."""
    cursor: dict[str, str] | None = None
    """The key of the last image that is finished; None at the beginning, and at the end."""
    done: bool = False
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    alerts: dict[str, int] = field(default_factory=dict)
    first_page: int = 0
    """How many pages were finished before this execution."""
    continued_by: str = ""
    """The ARN of the execution that continues the run; empty while this one does."""

    @classmethod
    def from_state(cls, state: Mapping[str, Any], outcomes: Sequence[str]) -> Progress:
        """Reads the state; before the first page it may be empty. `outcomes` names what alerts are counted by."""
        alerts = state.get("Alerts", {})
        return cls(
            state.get("Rule"),
            state.get("Cursor"),
            state.get("Done", False),
            {name: state.get(name, 0) for name in _COUNTS},
            {outcome: alerts.get(outcome, 0) for outcome in outcomes},
            state.get("FirstPage", 0),
        )

    def to_state(self) -> dict[str, Any]:
        """A copy: later counting doesn't change it."""
        position = {"Done": self.done, "Cursor": self.cursor, "Rule": self.rule, "FirstPage": self.first_page}
        continued = {"ContinuedBy": self.continued_by} if self.continued_by else {}
        return {**position, **self.counts, "Alerts": dict(self.alerts), **continued}

    def continuation(self, run: BackfillRun) -> dict[str, Any]:
        """The input of an execution that continues this one: the same images, from this cursor."""
        return {"run": run.to_input(), "progress": {**self.to_state(), "FirstPage": self.counts["Pages"]}}


@dataclass(frozen=True)
class Evaluation:
    """The result of matching one stored image against a rule."""

    image: ImageVersion
    matched: MatchedRule | None
    """None when the rule doesn't match."""
    update: RecordUpdate | None = None
    """What to write to the record; None when it stays as it is."""


@dataclass(frozen=True)
class RecordUpdate:
    """What a record's MatchedRules and RulesOmitted must become."""

    matched_rules: tuple[MatchedRule, ...]
    rules_omitted: int


def evaluate_record(watchlist: Watchlist, record: Mapping[str, Any], now: datetime) -> Evaluation:
    """Matches a record's findings against a watchlist of one rule. Raises UnreadableRecord.

    A record that shows a newer version of the rule stays as it is: the workflow or another backfill has evaluated it since.
    """
    (rule,) = watchlist.rules
    try:
        image = ImageVersion.from_state(record)
        recorded = [MatchedRule.from_item(entry) for entry in record.get("MatchedRules", [])]
        if any(entry.rule_id == rule.rule_id and entry.version > rule.version for entry in recorded):
            return Evaluation(image, None)
        matched = next(iter(watchlist.evaluate(image, record, now)), None)
        return Evaluation(image, matched, merge_match(recorded, rule.rule_id, matched, int(record.get("RulesOmitted", 0))))
    except (AttributeError, InvalidRule, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord(f"Its record can't be read: {type(error).__name__}: {error}") from error


def merge_match(
    recorded: Sequence[MatchedRule], rule_id: str, matched: MatchedRule | None, omitted: int = 0
) -> RecordUpdate | None:
    """The record's matched rules with this match in place of the rule's older one; None when they stay as they are.

    Without a match, the rule's entry is removed. `omitted` is the record's RulesOmitted.
    """
    known = next((entry for entry in recorded if entry.rule_id == rule_id), None)
    if known == matched:
        return None
    entries = [entry for entry in recorded if entry.rule_id != rule_id] + ([matched] if matched else [])
    kept, dropped = truncate_to_state_limit(sorted(entries, key=lambda entry: entry.rule_id))
    return None if kept == list(recorded) else RecordUpdate(tuple(kept), omitted + dropped)
