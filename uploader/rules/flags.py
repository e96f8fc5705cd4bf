"""Rules by flags, for the simple case: what `add` makes of them, and what `edit` changes by them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from imagewatch.errors import InvalidRule
from imagewatch.rules.model import DEFAULT_CONFIDENCE, PLACES, SEVERITIES, Rule
from imagewatch.rules.schedule import DAYS
from imagewatch.text import words_of
from uploader.errors import UsageError
from uploader.rules.files import slug_of
from uploader.times import duration

_LISTS = {"any": "AnyOf", "all": "AllOf", "none": "NoneOf"}
_TEXTS = {"source": "Sources", "key_prefix": "KeyPrefixes", "channel": "Channels"}
_FLAGS = (*_LISTS, *_TEXTS, "severity", "cooldown", "per_source", "active", "time_zone", "bypass_quiet_hours")
_ALWAYS = "always"
_WINDOW = re.compile(r"(?:(?P<days>[a-z,-]+) )?(?P<start>[0-9:]+)-(?P<end>[0-9:]+)")


def add_flags(parser: argparse.ArgumentParser, *, changes: bool) -> None:
    """The flags that `add` and `edit` share."""
    group = parser.add_argument_group("the rule", "Each list replaces the one that the rule has." if changes else None)
    term: Any = {"action": "append", "metavar": "[PLACE=]TERM[:CONFIDENCE]", "type": term_in}
    least, places = f"{DEFAULT_CONFIDENCE:g} if not given", ", ".join(PLACES)
    says = f"At least one of these must be found, at least so sure (0-100, {least}). PLACE is one of {places}."
    group.add_argument("--any", **term, help=says)
    group.add_argument("--all", **term, help="Each of these must be found.")
    group.add_argument("--none", **term, help="None of these may be found.")
    group.add_argument("--source", action="append", metavar="NAME", help="Only images of this source (a camera, a folder).")
    group.add_argument("--key-prefix", action="append", metavar="PREFIX", help="Only images whose key below uploads/ begins so.")
    group.add_argument("--severity", choices=SEVERITIES, help=None if changes else "It is warning if not given.")
    group.add_argument("--channel", action="append", metavar="ID", help="Where alerts go. It is email if not given.")
    group.add_argument("--cooldown", type=duration, metavar="TIME", help="Silence after an alert, such as 10m; 0 for none.")
    group.add_argument(
        "--per-source", action=argparse.BooleanOptionalAction, default=None, help="A cooldown of its own for each source."
    )
    always = f"; {_ALWAYS} to end that" if changes else ""
    group.add_argument(
        "--active", action="append", metavar="WINDOW", type=window_in,
        help=f'Only then it alerts: "22:00-06:00", "mon-fri 08:00-18:00", "sat,sun 00:00-00:00" (whole days){always}.',
    )  # fmt: skip
    group.add_argument("--time-zone", metavar="NAME", help="Whose clock --active means, such as Europe/Berlin.")
    group.add_argument(
        "--bypass-quiet-hours", action=argparse.BooleanOptionalAction, default=None,
        help="Alert outside --active too, and never wait for a digest; for critical rules.",
    )  # fmt: skip
    if changes:
        group.add_argument("--name", metavar="TEXT", help="What alerts call the rule.")
        group.add_argument(
            "--min-confidence", action="append", metavar="TERM:CONFIDENCE", type=_confidence_in, default=[],
            help="How sure Rekognition must be of this term of the rule; the others stay as they are.",
        )  # fmt: skip


def term_in(text: str) -> dict[str, Any]:
    """An argparse type: "Person:90" or "moderation=Weapons:90" as a term. What precedes the first = is a place only if it is one.

    What follows the last colon is a confidence if it is a number, a mistake if it begins like one ("9O"), and else a part of the
    term.
    """
    place, equals, rest = text.partition("=")
    term, within = (rest, {"In": place}) if equals and place in PLACES else (text, {})
    name, confidence = _named(term)
    if confidence is None and re.search(r":\s*[0-9][^:]*$", term):
        says = f"such as Person:90; if the term ends so itself, give it one: {text}:{DEFAULT_CONFIDENCE:g}"
        raise argparse.ArgumentTypeError(f"{text!r} has no number after its colon, {says}")
    return {"Term": name} | ({} if confidence is None else {"MinConfidence": confidence}) | within


def _named(text: str) -> tuple[str, float | None]:
    name, colon, number = text.rpartition(":")
    try:
        return (name, float(number)) if colon else (text, None)
    except ValueError:
        return text, None


def _confidence_in(text: str) -> tuple[str, float]:
    name, confidence = _named(text)
    if confidence is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no term with a confidence, such as Person:90")
    return name, confidence


def window_in(text: str) -> dict[str, Any] | None:
    """An argparse type: "mon-fri 22:00-06:00" as a window of active hours; without days it is every day's. None is "always"."""
    if text == _ALWAYS:
        return None
    found = _WINDOW.fullmatch(" ".join(text.lower().split()))
    days = _days(found["days"]) if found else None
    if not found or not days:
        like = f"such as 22:00-06:00 or mon-fri 08:00-18:00 (days are {', '.join(DAYS)})"
        raise argparse.ArgumentTypeError(f"{text!r} is no window of the week {like}")
    return {"Days": days, "From": found["start"], "To": found["end"]}


def _days(text: str | None) -> list[str] | None:
    """ "mon-wed,sat" day by day; None when that isn't what it is."""
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


def has_flags(args: argparse.Namespace) -> bool:
    """Whether any flag says something of the rule."""
    return any(getattr(args, flag) is not None for flag in _FLAGS)


def rule_from(args: argparse.Namespace) -> Rule:
    """The rule that the flags of `add` describe. Raises UsageError naming what is wrong."""
    rule_id = args.id or slug_of(args.rule)
    if not rule_id:
        raise UsageError(f"no id can be made of the name {args.rule!r}; give one with --id.")
    return _checked(_with_flags({"RuleId": rule_id, "Name": args.rule}, args))


def changed_by(args: argparse.Namespace, rule: Rule) -> Rule:
    """The rule with what the flags of `edit` say. Raises UsageError naming what is wrong."""
    record = _with_flags(rule.to_record(), args)
    if args.name is not None:
        record["Name"] = args.name
    for text, confidence in args.min_confidence:
        terms = [term for name in _LISTS.values() for term in record.get(name, ()) if words_of(term["Term"]) == words_of(text)]
        if not terms:
            known = ", ".join(dict.fromkeys(str(term["Term"]) for name in _LISTS.values() for term in record.get(name, ())))
            raise UsageError(f"--min-confidence: the rule has no term {text!r}; it has {known}.")
        for term in terms:
            term["MinConfidence"] = confidence
    return _checked(record)


def _with_flags(record: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    given = {field: getattr(args, flag) for flag, field in {**_LISTS, **_TEXTS}.items() if getattr(args, flag) is not None}
    if args.severity is not None:
        given["Severity"] = args.severity
    if args.cooldown is not None or args.per_source is not None:
        given["Cooldown"] = _cooldown(record.get("Cooldown", {}), args)
    if args.bypass_quiet_hours is not None:
        given["BypassQuietHours"] = args.bypass_quiet_hours
    if args.active is not None or args.time_zone is not None:
        given["ActiveHours"] = _active_hours(record.get("ActiveHours") or {}, args)
    return {name: value for name, value in {**record, **given}.items() if value is not None}


def _active_hours(before: Mapping[str, Any], args: argparse.Namespace) -> dict[str, Any] | None:
    windows = before.get("Windows") if args.active is None else args.active
    if windows and None in windows:
        if len(windows) > 1 or args.time_zone is not None:
            raise UsageError(f"--active {_ALWAYS} stands alone: the rule then has no active hours.")
        return None
    zone = before.get("TimeZone") if args.time_zone is None else args.time_zone
    if not zone:
        raise UsageError("--active is meant by somebody's clock, so it needs --time-zone, such as Europe/Berlin.")
    if not windows:
        raise UsageError("--time-zone says whose clock active hours mean, so it needs --active.")
    return {"TimeZone": zone, "Windows": windows}


def _cooldown(before: Mapping[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    seconds = before.get("Seconds", 0) if args.cooldown is None else args.cooldown
    if not seconds and args.per_source:
        raise UsageError("--per-source says how a cooldown is kept, so it needs --cooldown.")
    per_source = before.get("PerSource", False) if args.per_source is None else args.per_source
    return {"Seconds": seconds, "PerSource": per_source}


def _checked(record: Mapping[str, Any]) -> Rule:
    try:
        return Rule.from_record(record)
    except InvalidRule as error:
        raise UsageError.of_several(error.problems, f"{len(error.problems)} mistakes; nothing was done.") from error
