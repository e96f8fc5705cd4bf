"""Rules by flags, for the simple case: what `add` makes of them, and what `edit` changes by them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from imagewatch.errors import InvalidRule
from imagewatch.rules import DEFAULT_CONFIDENCE, SEVERITIES, Rule
from imagewatch.words import words_of
from uploader.errors import UsageError
from uploader.moments import duration
from uploader.rule_files import slug_of

_LISTS = {"any": "AnyOf", "all": "AllOf", "none": "NoneOf"}
_TEXTS = {"source": "Sources", "key_prefix": "KeyPrefixes", "channel": "Channels"}
_FLAGS = (*_LISTS, *_TEXTS, "severity", "cooldown", "per_source")


def add_flags(parser: argparse.ArgumentParser, *, changes: bool) -> None:
    """The flags that `add` and `edit` share."""
    group = parser.add_argument_group("the rule", "Each list replaces the one that the rule has." if changes else None)
    term: Any = {"action": "append", "metavar": "TERM[:CONFIDENCE]", "type": term_in}
    least = f"{DEFAULT_CONFIDENCE:g} if not given"
    group.add_argument("--any", **term, help=f"At least one of these must be found, at least so sure (0-100, {least}).")
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
    if changes:
        group.add_argument("--name", metavar="TEXT", help="What alerts call the rule.")
        group.add_argument(
            "--min-confidence", action="append", metavar="TERM:CONFIDENCE", type=_confidence_in, default=[],
            help="How sure Rekognition must be of this term of the rule; the others stay as they are.",
        )  # fmt: skip


def term_in(text: str) -> dict[str, Any]:
    """An argparse type: "Person:90" as a term. What follows the last colon is a confidence only if it is a number."""
    name, colon, number = text.rpartition(":")
    try:
        return {"Term": name, "MinConfidence": float(number)} if colon else {"Term": text}
    except ValueError:
        return {"Term": text}


def _confidence_in(text: str) -> tuple[str, float]:
    term = term_in(text)
    if "MinConfidence" not in term:
        raise argparse.ArgumentTypeError(f"{text!r} is no term with a confidence, such as Person:90")
    return str(term["Term"]), float(term["MinConfidence"])


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
    return {**record, **given}


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
        raise UsageError(str(error)) from error
