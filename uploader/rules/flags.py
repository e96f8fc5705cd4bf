"""Rules from flags: `add` makes a rule of them, `edit` changes a rule by them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.errors import InvalidRule
from imagewatch.rules.matched_rule import DIGEST, IMMEDIATE
from imagewatch.rules.model import DEFAULT_CONFIDENCE, PLACES, Rule
from imagewatch.rules.schedule import DAYS
from imagewatch.text import words_of
from uploader.errors import UsageError
from uploader.rules.files import slug_of

_LISTS = {"any_of": "AnyOf", "all_of": "AllOf", "none_of": "NoneOf"}
_TEXTS = {"sources": "Sources", "key_prefixes": "KeyPrefixes", "channels": "Channels"}
_ALWAYS = "always"
_WINDOW = re.compile(r"(?:(?P<days>[a-z,-]+) )?(?P<start>[0-9:]+)-(?P<end>[0-9:]+)")


@dataclass(frozen=True)
class RuleFlags:
    """What the flags of `add` and `edit` say about a rule. None: the flag wasn't given."""

    any_of: Sequence[Mapping[str, Any]] | None = None
    all_of: Sequence[Mapping[str, Any]] | None = None
    none_of: Sequence[Mapping[str, Any]] | None = None
    sources: Sequence[str] | None = None
    key_prefixes: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    severity: str | None = None
    cooldown: int | None = None
    """Seconds."""
    per_source: bool | None = None
    active: Sequence[Mapping[str, Any] | None] | None = None
    """Windows of the week; None among them is "always"."""
    time_zone: str | None = None
    bypass_quiet_hours: bool | None = None
    digest: bool | None = None
    name: str | None = None
    min_confidence: Sequence[tuple[str, float]] | None = None
    """Terms of the rule and their new confidence."""

    @property
    def any_given(self) -> bool:
        """Whether any flag was given."""
        return any(value is not None for value in vars(self).values())


def term_in(text: str) -> dict[str, Any]:
    """ "Person:90" or "moderation=Weapons:90" as a term. The text before the first = is a place only if it is a known one.

    The text after the last colon is a confidence if it is a number, an error if it begins like one ("9O"), and otherwise part of
    the term. Raises ValueError.
    """
    place, equals, rest = text.partition("=")
    term, within = (rest, {"In": place}) if equals and place in PLACES else (text, {})
    name, confidence = _named(term)
    if confidence is None and re.search(r":\s*[0-9][^:]*$", term):
        says = f"such as Person:90; if the term ends so itself, give it one: {text}:{DEFAULT_CONFIDENCE:g}"
        raise ValueError(f"{text!r} has no number after its colon, {says}")
    return {"Term": name} | ({} if confidence is None else {"MinConfidence": confidence}) | within


def _named(text: str) -> tuple[str, float | None]:
    name, colon, number = text.rpartition(":")
    try:
        return (name, float(number)) if colon else (text, None)
    except ValueError:
        return text, None


def confidence_in(text: str) -> tuple[str, float]:
    """ "Person:90" as a term and its confidence. Raises ValueError."""
    name, confidence = _named(text)
    if confidence is None:
        raise ValueError(f"{text!r} is no term with a confidence, such as Person:90")
    return name, confidence


def window_in(text: str) -> dict[str, Any] | None:
    """ "mon-fri 22:00-06:00" as a window of active hours; without days, of every day. None is "always". Raises ValueError."""
    if text == _ALWAYS:
        return None
    found = _WINDOW.fullmatch(" ".join(text.lower().split()))
    days = _days(found["days"]) if found else None
    if not found or not days:
        like = f"such as 22:00-06:00 or mon-fri 08:00-18:00 (days are {', '.join(DAYS)})"
        raise ValueError(f"{text!r} is no window of the week {like}")
    return {"Days": days, "From": found["start"], "To": found["end"]}


def _days(text: str | None) -> list[str] | None:
    """ "mon-wed,sat" day by day; None for anything else."""
    if text is None:
        return list(DAYS)
    named: set[str] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not {first, last if dash else first} <= set(DAYS):
            return None
        start = DAYS.index(first)
        named |= {DAYS[(start + n) % 7] for n in range((DAYS.index(last) - start) % 7 + 1)} if dash else {first}
    return [day for day in DAYS if day in named]


def rule_from(name: str, rule_id: str | None, flags: RuleFlags) -> Rule:
    """The rule that a name and the flags of `add` describe; without an id, the name gives it. Raises UsageError."""
    rule_id = rule_id or slug_of(name)
    if not rule_id:
        raise UsageError(f"no id can be made of the name {name!r}; give one with --id.")
    return _checked(_with_flags({"RuleId": rule_id, "Name": name}, flags))


def changed_by(flags: RuleFlags, rule: Rule) -> Rule:
    """The rule with what the flags of `edit` say. Raises UsageError."""
    record = _with_flags(rule.to_item(), flags)
    if flags.name is not None:
        record["Name"] = flags.name
    for text, confidence in flags.min_confidence or ():
        terms = [term for name in _LISTS.values() for term in record.get(name, ()) if words_of(term["Term"]) == words_of(text)]
        if not terms:
            known = ", ".join(dict.fromkeys(str(term["Term"]) for name in _LISTS.values() for term in record.get(name, ())))
            raise UsageError(f"--min-confidence: the rule has no term {text!r}; it has {known}.")
        for term in terms:
            term["MinConfidence"] = confidence
    return _checked(record)


def _with_flags(record: dict[str, Any], flags: RuleFlags) -> dict[str, Any]:
    given = {field: getattr(flags, flag) for flag, field in {**_LISTS, **_TEXTS}.items() if getattr(flags, flag) is not None}
    if flags.severity is not None:
        given["Severity"] = flags.severity
    if flags.cooldown is not None or flags.per_source is not None:
        given["Cooldown"] = _cooldown(record.get("Cooldown", {}), flags)
    if flags.bypass_quiet_hours is not None:
        given["BypassQuietHours"] = flags.bypass_quiet_hours
    if flags.digest is not None:
        given["Delivery"] = DIGEST if flags.digest else IMMEDIATE
    if flags.active is not None or flags.time_zone is not None:
        given["ActiveHours"] = _active_hours(record.get("ActiveHours") or {}, flags)
    return {name: value for name, value in {**record, **given}.items() if value is not None}


def _active_hours(before: Mapping[str, Any], flags: RuleFlags) -> dict[str, Any] | None:
    windows = before.get("Windows") if flags.active is None else flags.active
    if windows and None in windows:
        if len(windows) > 1 or flags.time_zone is not None:
            raise UsageError(f"--active {_ALWAYS} can't be combined with other windows or a time zone.")
        return None
    zone = before.get("TimeZone") if flags.time_zone is None else flags.time_zone
    if not zone:
        raise UsageError("--active needs the time zone of its times: --time-zone, such as Europe/Berlin.")
    if not windows:
        raise UsageError("--time-zone is the time zone of active hours, so it needs --active.")
    return {"TimeZone": zone, "Windows": windows}


def _cooldown(before: Mapping[str, Any], flags: RuleFlags) -> dict[str, Any]:
    seconds = before.get("Seconds", 0) if flags.cooldown is None else flags.cooldown
    if not seconds and flags.per_source:
        raise UsageError("--per-source separates a cooldown by source, so it needs --cooldown.")
    per_source = before.get("PerSource", False) if flags.per_source is None else flags.per_source
    return {"Seconds": seconds, "PerSource": per_source}


def _checked(record: Mapping[str, Any]) -> Rule:
    try:
        return Rule.from_item(record)
    except InvalidRule as error:
        raise UsageError.of_several([*map(str, error.problems)], f"{len(error.problems)} mistakes; nothing was done.") from error
