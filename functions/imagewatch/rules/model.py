"""A rule of the watchlist: what people want to be told about, checked when it is written and again when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch.images.version import UPLOADS_PREFIX, ImageVersion
from imagewatch.rules.fields import Fields, slug
from imagewatch.rules.schedule import ActiveHours
from imagewatch.text import words_of

SEVERITIES = ("info", "warning", "critical")
PLACES = ("any", "label", "parent", "category", "moderation", "text")
DEFAULT_CONFIDENCE = 80.0
MAX_TERMS = 100  # of each list
MAX_COOLDOWN = 366 * 24 * 3600  # seconds
_TERM_FIELDS = ("Term", "MinConfidence", "In", "MinInstances", "MinArea")
_FIELDS = (
    "RuleId", "Name", "Version", "Enabled", "Severity", "AnyOf", "AllOf", "NoneOf", "Terms", "Sources", "KeyPrefixes",
    "ActiveHours", "SnoozedUntil", "Cooldown", "BypassQuietHours", "Channels", "CreatedAt", "UpdatedAt",
)  # fmt: skip


@dataclass(frozen=True)
class Term:
    """One thing to look for. Confidence is 0-100, area is a ratio 0-1 of the image."""

    text: str
    min_confidence: float = DEFAULT_CONFIDENCE
    within: str = "any"
    """Which names of a finding it is held against: one of PLACES. "any" is all but the text in the image."""
    min_instances: int = 0
    """How many instances (boxes) of the label there must be; 0 and no area: the label alone decides."""
    min_area: float = 0.0

    @classmethod
    def from_record(cls, where: str, record: Any) -> Term:
        """From an entry of AnyOf, AllOf or NoneOf. Raises InvalidRule naming the field."""
        fields = Fields(where, record, _TERM_FIELDS, "a term such as {Term: person, MinConfidence: 80}")
        text = fields.line("Term", 100)
        if text and not words_of(text):
            fields.wrong(f"Term must contain at least one word, not {text!r}.")
        elif text:
            fields.where = f"{where} ({text})"
        term = cls(
            text,
            fields.number("MinConfidence", 0, 100, DEFAULT_CONFIDENCE),
            fields.choice("In", PLACES, "any"),
            fields.whole("MinInstances", 1, 100, 0),
            fields.number("MinArea", 0, 1, 0.0),
        )
        if term.within == "moderation" and (term.min_instances > 1 or term.min_area):
            fields.wrong("MinInstances and MinArea must be left out: moderation labels have no boxes.")
        if term.within == "text" and term.min_instances > 1:
            fields.wrong("MinInstances must be left out: each line of text counts as one.")
        fields.done()
        return term

    def to_record(self) -> dict[str, Any]:
        return {
            "Term": self.text,
            "MinConfidence": self.min_confidence,
            **({"In": self.within} if self.within != "any" else {}),
            **({"MinInstances": self.min_instances} if self.min_instances else {}),
            **({"MinArea": self.min_area} if self.min_area else {}),
        }


@dataclass(frozen=True)
class Cooldown:
    """How long a rule stays silent after an alert that was sent, in seconds; 0 is no cooldown."""

    seconds: int = 0
    per_source: bool = False

    @classmethod
    def from_record(cls, where: str, record: Any) -> Cooldown:
        fields = Fields(where, record, ("Seconds", "PerSource"), "Seconds and, if wanted, PerSource")
        cooldown = cls(fields.whole("Seconds", 0, MAX_COOLDOWN), fields.flag("PerSource", False))
        fields.done()
        return cooldown

    def to_record(self) -> dict[str, Any]:
        return {"Seconds": self.seconds, "PerSource": self.per_source}


@dataclass(frozen=True)
class Rule:
    """It matches when one of `any_of` (if there are any), each of `all_of` and none of `none_of` is found in an image."""

    rule_id: str
    name: str
    any_of: tuple[Term, ...] = ()
    all_of: tuple[Term, ...] = ()
    none_of: tuple[Term, ...] = ()
    version: int = 1
    enabled: bool = True
    severity: str = "warning"
    sources: tuple[str, ...] = ()
    key_prefixes: tuple[str, ...] = ()
    """Below uploads/."""
    active_hours: ActiveHours | None = None
    snoozed_until: str = ""
    """ISO 8601, UTC, milliseconds; empty when it isn't snoozed."""
    cooldown: Cooldown = Cooldown()
    bypass_quiet_hours: bool = False
    channels: tuple[str, ...] = ("email",)
    created_at: str = ""
    updated_at: str = ""

    def concerns(self, image: ImageVersion) -> bool:
        """Whether the image comes from where the rule looks; one source or one prefix is enough, none means everywhere."""
        if not self.sources and not self.key_prefixes:
            return True
        return image.source in self.sources or image.key.removeprefix(UPLOADS_PREFIX).startswith(self.key_prefixes)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Rule:
        """A rule from the WatchlistTable or from a person. Raises InvalidRule naming each wrong field and what it must be."""
        where = _where(record)
        fields = Fields(where, record, _FIELDS, "a mapping of fields to values")
        rule_id = fields.take("RuleId", slug, "1 to 64 small letters, digits and hyphens, such as person-at-the-gate")
        name = fields.line("Name", 100)
        known = len(fields.problems)
        severity = fields.choice("Severity", SEVERITIES, "warning")
        bypass = fields.flag("BypassQuietHours", False)
        if bypass and severity != "critical" and len(fields.problems) == known:
            fields.wrong("BypassQuietHours must be false, or Severity must be critical: only critical rules may bypass.")
        hours = fields.take("ActiveHours", lambda given: ActiveHours.from_record(f"{where}: ActiveHours", given), "", None)
        any_of, all_of, none_of = _terms(fields)
        rule = cls(
            rule_id,
            name,
            any_of,
            all_of,
            none_of,
            fields.whole("Version", 1, 10**9, 1),
            fields.flag("Enabled", True),
            severity,
            fields.texts(
                "Sources", _source, 'the name of a folder directly below uploads/, such as front-door or, in quotes, "2027"'
            ),
            fields.texts("KeyPrefixes", _prefix, "the beginning of a key below uploads/, such as front-door/night/"),
            hours,
            fields.moment("SnoozedUntil"),
            fields.take("Cooldown", lambda given: Cooldown.from_record(f"{where}: Cooldown", given), "", Cooldown()),
            bypass,
            fields.texts("Channels", slug, "the id of a channel, such as email", ("email",), most=10),
            fields.moment("CreatedAt"),
            fields.moment("UpdatedAt"),
        )
        fields.done()
        return rule

    def to_record(self) -> dict[str, Any]:
        """The record of the WatchlistTable: what is empty is left out."""
        optional = {
            "AnyOf": [term.to_record() for term in self.any_of],
            "AllOf": [term.to_record() for term in self.all_of],
            "NoneOf": [term.to_record() for term in self.none_of],
            "Sources": list(self.sources),
            "KeyPrefixes": list(self.key_prefixes),
            "ActiveHours": self.active_hours.to_record() if self.active_hours else None,
            "SnoozedUntil": self.snoozed_until,
            "Cooldown": self.cooldown.to_record() if self.cooldown.seconds else None,
            "BypassQuietHours": self.bypass_quiet_hours,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
        }
        always = {"RuleId": self.rule_id, "Name": self.name, "Version": self.version, "Enabled": self.enabled}
        choices = {"Severity": self.severity, "Channels": list(self.channels)}
        return {**always, **choices, **{name: value for name, value in optional.items() if value}}


def _where(record: Any) -> str:
    """What messages call a rule, which may not even have an id."""
    try:
        return f"Rule {slug(record['RuleId'])}"
    except (KeyError, TypeError, ValueError):
        return "A rule"


def _terms(fields: Fields) -> tuple[tuple[Term, ...], tuple[Term, ...], tuple[Term, ...]]:
    if "Terms" in fields and "AnyOf" in fields:
        fields.wrong("Terms is the older name of AnyOf; one of them must be left out.")
    known = len(fields.problems)
    lists = ("Terms" if "Terms" in fields else "AnyOf", "AllOf", "NoneOf")
    any_of, all_of, none_of = (fields.entries(name, MAX_TERMS, Term.from_record, []) for name in lists)
    if not any_of and not all_of and len(fields.problems) == known and not fields.mistyped & set(lists):
        fields.wrong(f"{lists[0]} must be a list with at least one entry, unless AllOf has one.")
    return any_of, all_of, none_of


def _source(value: Any) -> str:
    if not isinstance(value, str) or not value or "/" in value:
        raise ValueError
    return value


def _prefix(value: Any) -> str:
    if not isinstance(value, str) or not value or value.startswith(("/", UPLOADS_PREFIX)):
        raise ValueError
    return value
