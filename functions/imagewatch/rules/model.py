"""A rule of the watchlist: its fields, and how it is read from and written to an item of the WatchlistTable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from imagewatch.images.version import UPLOADS_PREFIX, ImageVersion, normal_path, normal_prefix, normal_source
from imagewatch.rules.fields import (
    FLAG,
    MOMENT,
    Declaration,
    Field,
    FieldReader,
    Place,
    choice,
    defined,
    entries,
    line,
    mapping,
    number,
    scalar,
    slug,
    texts,
    whole,
)
from imagewatch.rules.matched_rule import DIGEST, IMMEDIATE, NO_COOLDOWN, SEVERITIES, Cooldown
from imagewatch.rules.schedule import ACTIVE_HOURS, ActiveHours
from imagewatch.text import words_of

PLACES = ("any", "label", "parent", "category", "moderation", "text")
DEFAULT_CONFIDENCE = 80.0
MAX_TERMS = 100  # of each list
MAX_COOLDOWN = 366 * 24 * 3600  # seconds


class TermFields:
    """The fields of a term."""

    TERM = Field(
        "Term",
        defined("line", line(100)),
        "One or more whole words of a name, in any case: `car` matches *Sports Car*, but neither *Carpet* nor *Scar*.",
        required=True,
        example='"car"',
    )
    MIN_CONFIDENCE = Field(
        "MinConfidence",
        number(0, 100),
        "The lowest confidence that matches, 0 to 100. Findings below the stack's `FloorConfidence` aren't stored.",
        DEFAULT_CONFIDENCE,
    )
    IN = Field(
        "In",
        choice(*PLACES),
        "Which names the term is matched against. `any` is all of them except text in the image.",
        "any",
    )
    MIN_INSTANCES = Field(
        "MinInstances",
        whole(1, 100),
        "At least this many instances, each with `MinConfidence` or more.",
        0,
    )
    MIN_AREA = Field(
        "MinArea",
        number(0, 1),
        "The part of the image, 0 to 1, that the box of an instance must cover; with `MinInstances`, of each instance counted.",
        0.0,
        example="0.05",
    )


TERM = Declaration(
    "a term such as {Term: person, MinConfidence: 80}",
    (TermFields.TERM, TermFields.MIN_CONFIDENCE, TermFields.IN, TermFields.MIN_INSTANCES, TermFields.MIN_AREA),
    {
        "allOf": [
            {
                "if": {"required": ["In"], "properties": {"In": {"const": "moderation"}}},
                "then": {"properties": {"MinInstances": {"maximum": 1}, "MinArea": {"maximum": 0}}},
            },
            {
                "if": {"required": ["In"], "properties": {"In": {"const": "text"}}},
                "then": {"properties": {"MinInstances": {"maximum": 1}}},
            },
        ]
    },
)


_A_TERM = Place(label="A term")


@dataclass(frozen=True)
class Term:
    """One name that a rule looks for. Confidence is 0-100, area is a ratio 0-1 of the image."""

    text: str
    min_confidence: float = DEFAULT_CONFIDENCE
    within: str = "any"
    """Which names of a finding the term is matched against: one of PLACES."""
    min_instances: int = 0
    """How many instances (boxes) the label must have; with 0 and no area, the label alone decides."""
    min_area: float = 0.0

    @classmethod
    def from_item(cls, item: Any, place: Place = _A_TERM) -> Term:
        """Reads an entry of AnyOf, AllOf or NoneOf. Raises InvalidRule with every mistake."""
        fields = FieldReader(place, item, TERM)
        text = fields.take(TermFields.TERM)
        if text and not words_of(text):
            fields.note(f"Term must contain at least one word, not {text!r}.", "Term")
        elif text:
            fields.place = replace(place, label=f"{place.label} ({text})")
        term = cls(
            text,
            fields.take(TermFields.MIN_CONFIDENCE),
            fields.take(TermFields.IN),
            fields.take(TermFields.MIN_INSTANCES),
            fields.take(TermFields.MIN_AREA),
        )
        if term.within == "moderation" and (term.min_instances > 1 or term.min_area):
            first = "MinInstances" if term.min_instances > 1 else "MinArea"
            fields.note("MinInstances and MinArea must be left out: moderation labels have no boxes.", first)
        if term.within == "text" and term.min_instances > 1:
            fields.note("MinInstances must be left out: each line of text counts as one.", "MinInstances")
        fields.finish()
        return term

    def to_item(self) -> dict[str, Any]:
        return {
            "Term": self.text,
            "MinConfidence": self.min_confidence,
            **({"In": self.within} if self.within != "any" else {}),
            **({"MinInstances": self.min_instances} if self.min_instances else {}),
            **({"MinArea": self.min_area} if self.min_area else {}),
        }


class CooldownFields:
    """The fields of a cooldown."""

    SECONDS = Field("Seconds", whole(0, MAX_COOLDOWN), "How long the cooldown lasts; 0 is none.", required=True)
    PER_SOURCE = Field("PerSource", FLAG, "Whether each source has its own cooldown.", False)


COOLDOWN = Declaration("Seconds and, if wanted, PerSource", (CooldownFields.SECONDS, CooldownFields.PER_SOURCE))


def _read_cooldown(item: Any, place: Place) -> Cooldown:
    """Raises InvalidRule with every mistake."""
    fields = FieldReader(place, item, COOLDOWN)
    cooldown = Cooldown(fields.take(CooldownFields.SECONDS), fields.take(CooldownFields.PER_SOURCE))
    fields.finish()
    return cooldown


def _source(value: Any) -> str:
    if not isinstance(value, str) or not value or "/" in value:
        raise ValueError
    return normal_source(value)


def _prefix(value: Any) -> str:
    if not isinstance(value, str) or not value or value.startswith("/"):
        raise ValueError
    prefix = normal_prefix(value)
    if prefix.startswith(UPLOADS_PREFIX):
        raise ValueError
    return prefix


SOURCE = scalar(
    _source,
    'the name of a folder directly below uploads/, such as front-door or, in quotes, "2027"',
    {"type": "string", "pattern": "^[^/]+$"},
)
PREFIX = scalar(
    _prefix,
    "the beginning of a key below uploads/, such as front-door/night/",
    {"type": "string", "minLength": 1, "not": {"pattern": f"^(/|{UPLOADS_PREFIX})"}},
)
TERMS = defined("terms", entries(Term.from_item, "term", TERM, MAX_TERMS))


class RuleFields:
    """The fields of a rule."""

    RULE_ID = Field(
        "RuleId",
        slug("1 to 64 small letters, digits and hyphens, such as person-at-the-gate"),
        "The rule's id in commands and records. It never changes.",
        required=True,
    )
    NAME = Field("Name", defined("line", line(100)), "What alerts call the rule.", required=True)
    VERSION = Field("Version", whole(1, 10**9), "Increased with each write; alerts keep it.", 1)
    ENABLED = Field("Enabled", FLAG, "A disabled rule matches nothing.", True)
    SEVERITY = Field("Severity", choice(*SEVERITIES), "How important the rule's alerts are.", "warning")
    ANY_OF = Field("AnyOf", TERMS, "At least one of these terms must match.", ())
    ALL_OF = Field("AllOf", TERMS, "Each of these terms must match.", ())
    NONE_OF = Field("NoneOf", TERMS, "None of these terms may match.", ())
    TERMS = Field("Terms", TERMS, "The older name of `AnyOf`.", (), deprecated=True)
    SOURCES = Field(
        "Sources",
        texts(SOURCE, 100),
        "Only images of these sources: the first folder below `uploads/`, stored in lower case with dashes (`Front Door` becomes"
        " `front-door`). One match is enough, here or in `KeyPrefixes`.",
        (),
        example='["gate", "yard"]',
    )
    KEY_PREFIXES = Field(
        "KeyPrefixes",
        texts(PREFIX, 100),
        "Only images whose key below `uploads/` begins with one of these.",
        (),
    )
    ACTIVE_HOURS = Field(
        "ActiveHours",
        mapping(ActiveHours.from_item, ACTIVE_HOURS),
        "When a match may alert, by the time at which the image was uploaded. Without it: always.",
    )
    SNOOZED_UNTIL = Field("SnoozedUntil", MOMENT, "Until this time, matches are recorded and not alerted.", "")
    COOLDOWN = Field(
        "Cooldown",
        mapping(_read_cooldown, COOLDOWN),
        "For how long the rule sends no further alert after one that was sent. The next alert says how many were suppressed.",
        NO_COOLDOWN,
        example='{"Seconds": 600, "PerSource": true}',
    )
    DELIVERY = Field(
        "Delivery",
        choice(IMMEDIATE, DIGEST),
        "`digest` queues each match for the next digest of each channel, without a separate message. Such a rule has no"
        " `Cooldown` and no `BypassQuietHours`.",
        IMMEDIATE,
        example='"digest"',
    )
    BYPASS_QUIET_HOURS = Field(
        "BypassQuietHours",
        FLAG,
        "Alert outside `ActiveHours` too, and never in a digest. Only for critical rules.",
        False,
    )
    CHANNELS = Field(
        "Channels",
        texts(slug("the id of a channel, such as email"), 10),
        "The ids of the channels that alerts are sent to.",
        ("email",),
        example='["email", "ops-slack"]',
    )
    CREATED_AT = Field("CreatedAt", MOMENT, "When the rule was added. The client writes it.", "")
    UPDATED_AT = Field("UpdatedAt", MOMENT, "When the rule was last written. The client writes it.", "")


RULE = Declaration(
    "a mapping of fields to values",
    tuple(declared for declared in vars(RuleFields).values() if isinstance(declared, Field)),
    {
        "anyOf": [
            {"required": [name], "properties": {name: {"minItems": 1}}}
            for name in ("AnyOf", "AllOf", "Terms", "Sources", "KeyPrefixes")
        ],
        "not": {"required": ["AnyOf", "Terms"]},
        "if": {"required": ["BypassQuietHours"], "properties": {"BypassQuietHours": {"const": True}}},
        "then": {"required": ["Severity"], "properties": {"Severity": {"const": "critical"}}},
        "allOf": [
            {
                "if": {"required": ["Delivery"], "properties": {"Delivery": {"const": DIGEST}}},
                "then": {
                    "properties": {
                        "BypassQuietHours": {"const": False},
                        "Cooldown": {"properties": {"Seconds": {"const": 0}}},
                    }
                },
            }
        ],
    },
)


@dataclass(frozen=True)
class Rule:
    """Matches an image in which one of `any_of` (if there are any), each of `all_of` and none of `none_of` is found.

    A rule without `any_of` and `all_of` matches every image of its sources and key prefixes, unless `none_of` matches.
    """

    rule_id: str
    name: str
    any_of: tuple[Term, ...] = ()
    all_of: tuple[Term, ...] = ()
    none_of: tuple[Term, ...] = ()
    version: int = 1
    enabled: bool = True
    severity: str = "warning"
    sources: tuple[str, ...] = ()
    """As `normal_source`."""
    key_prefixes: tuple[str, ...] = ()
    """Below uploads/, as `normal_prefix`."""
    active_hours: ActiveHours | None = None
    snoozed_until: str = ""
    """ISO 8601, UTC, milliseconds; empty when it isn't snoozed."""
    cooldown: Cooldown = NO_COOLDOWN
    bypass_quiet_hours: bool = False
    channels: tuple[str, ...] = ("email",)
    created_at: str = ""
    updated_at: str = ""
    delivery: str = IMMEDIATE
    """IMMEDIATE, or DIGEST for a rule whose alerts all wait for a digest."""

    def applies_to(self, image: ImageVersion) -> bool:
        """Whether one of the rule's sources or key prefixes is the image's. A rule without both applies to every image."""
        if not self.sources and not self.key_prefixes:
            return True
        return image.source in self.sources or normal_path(image.key).startswith(self.key_prefixes)

    @classmethod
    def from_item(cls, item: Any) -> Rule:
        """Reads an item of the WatchlistTable, or a rule that a person wrote. Raises InvalidRule with every mistake."""
        fields = FieldReader(Place(label=_label(item)), item, RULE)
        rule_id, name = fields.take(RuleFields.RULE_ID), fields.take(RuleFields.NAME)
        severity, bypass = _severity(fields)
        hours = fields.take(RuleFields.ACTIVE_HOURS)
        any_of, all_of, none_of = _terms(fields)
        rule = cls(
            rule_id,
            name,
            any_of,
            all_of,
            none_of,
            fields.take(RuleFields.VERSION),
            fields.take(RuleFields.ENABLED),
            severity,
            fields.take(RuleFields.SOURCES),
            fields.take(RuleFields.KEY_PREFIXES),
            hours,
            fields.take(RuleFields.SNOOZED_UNTIL),
            fields.take(RuleFields.COOLDOWN),
            bypass,
            fields.take(RuleFields.CHANNELS),
            fields.take(RuleFields.CREATED_AT),
            fields.take(RuleFields.UPDATED_AT),
            fields.take(RuleFields.DELIVERY),
        )
        _check_delivery(fields, rule)
        fields.finish()
        return rule

    def to_item(self) -> dict[str, Any]:
        """The item of the WatchlistTable. Fields that are empty are left out."""
        optional = {
            "AnyOf": [term.to_item() for term in self.any_of],
            "AllOf": [term.to_item() for term in self.all_of],
            "NoneOf": [term.to_item() for term in self.none_of],
            "Sources": list(self.sources),
            "KeyPrefixes": list(self.key_prefixes),
            "ActiveHours": self.active_hours.to_item() if self.active_hours else None,
            "SnoozedUntil": self.snoozed_until,
            "Cooldown": self.cooldown.to_item() if self.cooldown.seconds else None,
            "Delivery": self.delivery if self.delivery != IMMEDIATE else None,
            "BypassQuietHours": self.bypass_quiet_hours,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
        }
        always = {"RuleId": self.rule_id, "Name": self.name, "Version": self.version, "Enabled": self.enabled}
        choices = {"Severity": self.severity, "Channels": list(self.channels)}
        return {**always, **choices, **{name: value for name, value in optional.items() if value}}


def _label(item: Any) -> str:
    """What messages call a rule, which may have no valid id."""
    try:
        return f"Rule {RuleFields.RULE_ID.kind.read(item['RuleId'], Place())}"
    except (KeyError, TypeError, ValueError):
        return "A rule"


def _severity(fields: FieldReader) -> tuple[str, bool]:
    known = len(fields.problems)
    severity, bypass = fields.take(RuleFields.SEVERITY), fields.take(RuleFields.BYPASS_QUIET_HOURS)
    if bypass and severity != "critical" and len(fields.problems) == known:
        text = "BypassQuietHours must be false, or Severity must be critical: only critical rules may bypass."
        fields.note(text, "BypassQuietHours")
    return severity, bypass


def _check_delivery(fields: FieldReader, rule: Rule) -> None:
    if rule.delivery != DIGEST:
        return
    if rule.cooldown.seconds:
        text = "Cooldown must be left out, or Delivery must be immediate: a digest lists every match and suppresses none."
        fields.note(text, "Cooldown")
    if rule.bypass_quiet_hours:
        text = "BypassQuietHours must be false, or Delivery must be immediate: such a rule never waits for a digest."
        fields.note(text, "BypassQuietHours")


def _terms(fields: FieldReader) -> tuple[tuple[Term, ...], tuple[Term, ...], tuple[Term, ...]]:
    if RuleFields.TERMS in fields and RuleFields.ANY_OF in fields:
        fields.note("Terms is the older name of AnyOf; one of them must be left out.", "Terms")
    known = len(fields.problems)
    any_field = RuleFields.TERMS if RuleFields.TERMS in fields else RuleFields.ANY_OF
    lists = (any_field, RuleFields.ALL_OF, RuleFields.NONE_OF)
    any_of, all_of, none_of = (fields.take(declared) for declared in lists)
    places = (RuleFields.SOURCES, RuleFields.KEY_PREFIXES)
    is_limited = bool(any_of or all_of) or any(declared in fields for declared in places)
    if not is_limited and len(fields.problems) == known and not fields.misspelt & {one.name for one in (*lists, *places)}:
        text = f"{any_field.name} must be a list with at least one entry, unless AllOf, Sources or KeyPrefixes has one."
        fields.note(text, any_field.name)
    return any_of, all_of, none_of
