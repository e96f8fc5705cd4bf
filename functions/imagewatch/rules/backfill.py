"""A rule applied to the images of the past: what a run is asked to do, how far it is, and what it changes on a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imagewatch.errors import InvalidRule, InvalidRun, TooManyMatches, UnreadableRecord
from imagewatch.images.version import ImageVersion
from imagewatch.rules.fields import Fields, slug
from imagewatch.rules.matching import Watchlist, truncate_to_state_limit
from imagewatch.timestamps import iso_utc

_RUN_FIELDS = ("RuleId", "Since", "Until", "Alert")
_COUNTS = ("Pages", "Examined", "Matched", "Recorded", "Cleared", "Skipped")


@dataclass(frozen=True)
class Run:
    """Which rule, over which images, and whether people are told."""

    rule_id: str
    since: str
    """The first moment of upload that counts: ISO 8601, UTC, milliseconds; empty for all."""
    until: str
    """The first that doesn't."""
    alert: bool = False

    @classmethod
    def from_input(cls, record: Any, started_at: str) -> Run:
        """From an execution's `run`; `started_at` is when that began. Raises InvalidRun naming the field."""
        try:
            fields = Fields("The run", record, _RUN_FIELDS, "a mapping with RuleId, and Since, Until and Alert if wanted")
            run = cls(
                fields.take("RuleId", slug, "the id of a rule on the watchlist, such as person-at-gate"),
                fields.moment("Since"),
                fields.moment("Until") or iso_utc(datetime.fromisoformat(started_at)),
                fields.flag("Alert", False),
            )
            fields.done()
        except InvalidRule as error:
            raise InvalidRun(str(error)) from error
        if run.since >= run.until:
            raise InvalidRun(f"The run: Since must be before Until, but {run.since} isn't before {run.until}.")
        return run

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Whether the record is that of an analysed image, uploaded in the run's time, that nobody is removing."""
        analysed = record.get("Status") == "ANALYZED" and "Lease" in record
        return analysed and self.since <= record.get("UploadedAt", "") < self.until


@dataclass
class Progress:
    """How far a run is, as its pages hand it on."""

    rule: dict[str, Any] | None = None
    """The rule's record as the first page read it, so that every page holds images against the same version."""
    cursor: dict[str, str] | None = None
    """The key of the last image that is done with; None at the beginning, and at the end."""
    done: bool = False
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    alerts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], outcomes: Sequence[str]) -> Progress:
        """Before the first page, nothing of it need be in the state. `outcomes` names what alerts are counted by."""
        alerts = state.get("Alerts", {})
        return cls(
            state.get("Rule"),
            state.get("Cursor"),
            state.get("Done", False),
            {name: state.get(name, 0) for name in _COUNTS},
            {outcome: alerts.get(outcome, 0) for outcome in outcomes},
        )

    def to_state(self) -> dict[str, Any]:
        """A copy: what is counted later doesn't change it."""
        where = {"Done": self.done, "Cursor": self.cursor, "Rule": self.rule}
        return {**where, **self.counts, "Alerts": dict(self.alerts)}


@dataclass(frozen=True)
class Judgement:
    """What a rule says of one image."""

    image: ImageVersion
    verdict: dict[str, Any] | None
    """The match as the watchlist gives it; None when the rule doesn't match."""
    changed: list[dict[str, Any]] | None
    """What the record's MatchedRules must become; None when they stay as they are."""


def judge(watchlist: Watchlist, record: Mapping[str, Any], now: datetime) -> Judgement:
    """Holds a record's findings against a watchlist of one rule. Raises UnreadableRecord.

    A record that shows a newer version of the rule is left to it: the workflow or another run has judged the image since.
    """
    (rule,) = watchlist.rules
    try:
        image, recorded = ImageVersion.from_state(record), record.get("MatchedRules", [])
        if any(entry["RuleId"] == rule.rule_id and entry.get("RuleVersion", 1) > rule.version for entry in recorded):
            return Judgement(image, None, None)
        verdict = next(iter(watchlist.evaluate(image, record, now)), None)
        return Judgement(image, verdict, merged(recorded, rule.rule_id, verdict))
    except TooManyMatches as error:
        raise UnreadableRecord(str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord(f"Its record can't be read: {type(error).__name__}: {error}") from error


def merged(recorded: Sequence[Mapping[str, Any]], rule_id: str, verdict: Mapping[str, Any] | None) -> list[dict[str, Any]] | None:
    """A record's MatchedRules with this verdict in the place of the rule's older one; None when they stay as they are.

    Without a verdict, the rule's entry goes. Raises TooManyMatches when more rules match than the workflow itself would record.
    """
    known = next((entry for entry in recorded if entry["RuleId"] == rule_id), None)
    if known == verdict:
        return None
    entries = [dict(entry) for entry in recorded if entry["RuleId"] != rule_id] + ([dict(verdict)] if verdict else [])
    result = truncate_to_state_limit(sorted(entries, key=lambda entry: str(entry["RuleId"])))
    return None if result == list(recorded) else result
