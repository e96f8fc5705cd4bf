"""What a digest says: how many matches of which rule in which time, the surest ones with links, and what cooldowns kept back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagewatch.alerts.alert import MAX_SUBJECT, minute, percent, rule_name, suppressed_line, what
from imagewatch.alerts.cooldown import Suppressed
from imagewatch.text import one_line, shortened

SHOWN = 3  # of one rule's matches
MAX_IN_FULL = 10  # rules with their matches
MAX_RULES = 200  # rules by name; what is beyond is counted together
MAX_COOLDOWNS = 20  # of one rule, one by one
MAX_BYTES = 250_000  # SNS takes 262,144
_MAX_NAME = 50
_RESERVED = 400  # bytes for the sums and the last line
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class SuppressedCount:
    """What a cooldown kept back, told in this digest."""

    rule_id: str
    rule_name: str
    suppressed: Suppressed


@dataclass(frozen=True)
class Digest:
    """One message about many matches."""

    subject: str
    body: str


def compose(alerts: Sequence[Mapping[str, Any]], told: Sequence[SuppressedCount], limit: int = MAX_BYTES) -> Digest:
    """The digest of these alerts (as recorded) and of these counts, in at most `limit` bytes of UTF-8 (5,000 are enough).

    Every one of them is in a number that it says: what can't be told rule by rule is in the sums at its end.
    """
    groups = _by_rule(alerts)
    owed = sorted((entry for entry in told if entry.suppressed.count), key=lambda entry: -entry.suppressed.count)
    parts = [_part(group, [entry for entry in owed if entry.rule_id == group[0]["RuleId"]]) for group in groups]
    matched = {group[0]["RuleId"] for group in groups}
    silent = dict.fromkeys(entry.rule_id for entry in owed if entry.rule_id not in matched)
    parts += [_part([], [entry for entry in owed if entry.rule_id == rule_id]) for rule_id in silent]
    lines = [_in_all(parts), *(["They could not be sent one by one, so here they are together."] if len(alerts) > 1 else []), ""]
    room = limit - _RESERVED - _bytes(lines)
    shown = [part.short for part in parts[:MAX_RULES]]
    while shown and sum(map(_bytes, shown)) > room:
        shown.pop()
    room -= sum(map(_bytes, shown))
    for number, part in enumerate(parts[: min(len(shown), MAX_IN_FULL)]):
        more = _bytes(part.full) - _bytes(part.short)
        if more <= room:
            shown[number], room = part.full, room - more
    lines += [line for each in shown for line in each]
    lines += ["", *_sums(parts[len(shown) :])] if lines[-1] else _sums(parts[len(shown) :])
    lines += ["These rules are on your watchlist. A higher confidence or a cooldown there makes fewer messages of them."]
    return Digest(shortened(_subject(groups, owed), MAX_SUBJECT), "\n".join(lines))


def span(alerts: Sequence[Mapping[str, Any]]) -> str:
    """The time from the first alert to the last in words, rounded: "5 minutes"."""
    moments = sorted(alert["CreatedAt"] for alert in alerts)
    seconds = (datetime.fromisoformat(moments[-1]) - datetime.fromisoformat(moments[0])).total_seconds()
    for unit, size, least in (("day", 86_400, 2), ("hour", 3600, 2), ("minute", 60, 1.5)):
        if seconds >= least * size:
            return _several(round(seconds / size), unit)
    return _several(max(round(seconds), 1), "second")


def _by_rule(alerts: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Each rule's alerts, the surest first; severe rules first, then those with most."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for alert in alerts:
        groups.setdefault(alert["RuleId"], []).append(alert)
    ordered = [sorted(group, key=lambda alert: (-_surest(alert)["Confidence"], alert["CreatedAt"])) for group in groups.values()]
    return sorted(ordered, key=lambda group: (_SEVERITIES.index(group[0]["Severity"]), -len(group), group[0]["RuleId"]))


@dataclass(frozen=True)
class _Part:
    """One rule in a digest: its matches and what its cooldowns kept back, with links (`full`) and in short."""

    matches: int
    kept_back: int
    full: list[str]
    short: list[str]


def _part(group: Sequence[Mapping[str, Any]], told: Sequence[SuppressedCount]) -> _Part:
    kept_back = sum(entry.suppressed.count for entry in told)
    if not group:
        name = shortened(rule_name(told[0].rule_name), _MAX_NAME)
        lines = [f'"{name}": {line.lstrip()}' for line in _told_lines(told)]
        return _Part(0, kept_back, lines, lines)
    return _Part(len(group), kept_back, *(_group_lines(group, told, in_full=in_full) for in_full in (True, False)))


def _group_lines(group: Sequence[Mapping[str, Any]], told: Sequence[SuppressedCount], *, in_full: bool) -> list[str]:
    name = shortened(rule_name(group[0]["RuleName"]), _MAX_NAME)
    time = f" in {span(group)}" if len(group) > 1 else ""
    more = len(group) - SHOWN if in_full else 0
    head = f'{_matches(len(group))} of "{name}"{time} ({group[0]["Severity"]})'
    lines = [f"{head}, the surest ones below:" if more > 0 else f"{head}:" if in_full else head]
    for alert in group[:SHOWN] if in_full else ():
        best = _surest(alert)
        lines += [f"  {what(best)} {percent(best['Confidence'])}, {one_line(alert['Key'])}, {minute(alert['CreatedAt'])}"]
        lines += [f"    {alert['Link']}"]
    lines += [f"  and {more} more"] if more > 0 else []
    return [*lines, *_told_lines(told), ""]


def _told_lines(told: Sequence[SuppressedCount]) -> list[str]:
    """What one rule's cooldowns kept back: those that did most one by one, the others in a sum."""
    lines = [f"  {suppressed_line(entry.suppressed)}" for entry in told[:MAX_COOLDOWNS]]
    if rest := told[MAX_COOLDOWNS:]:
        count = sum(entry.suppressed.count for entry in rest)
        lines += [f"  {_were_suppressed(count)} by {_several(len(rest), 'other cooldown')} of this rule."]
    return lines


def _sums(left_out: Sequence[_Part]) -> list[str]:
    """What the digest doesn't tell rule by rule."""
    lines = []
    if matched := [part.matches for part in left_out if part.matches]:
        lines += [f"{_matches(sum(matched))} of {_several(len(matched), 'other rule')}"]
    if kept_back := [part.kept_back for part in left_out if part.kept_back]:
        lines += [f"{_several(len(kept_back), 'other rule')}: {_were_suppressed(sum(kept_back))} by cooldowns."]
    return [*lines, ""] if lines else []


def _in_all(parts: Sequence[_Part]) -> str:
    matches, kept_back = [part.matches for part in parts if part.matches], [part.kept_back for part in parts if part.kept_back]
    if not matches:
        return f"In all: {_matches(sum(kept_back))} of {_several(len(kept_back), 'rule')}, kept back by cooldowns."
    more = f", and {sum(kept_back)} more kept back by cooldowns" if kept_back else ""
    return f"In all: {_matches(sum(matches))} of {_several(len(matches), 'rule')}{more}."


def _subject(groups: Sequence[Sequence[Mapping[str, Any]]], owed: Sequence[SuppressedCount]) -> str:
    alerts = [alert for group in groups for alert in group]
    if not alerts:
        rules = {entry.rule_id: entry.rule_name for entry in owed}
        kept_back = sum(entry.suppressed.count for entry in owed)
        return f"{kept_back} suppressed {'match' if kept_back == 1 else 'matches'} of {_rules(list(rules.values()))}"
    urgent = "CRITICAL: " if groups[0][0]["Severity"] == "critical" else ""
    time = f" in {span(alerts)}" if len(alerts) > 1 else ""
    return f"{urgent}{_matches(len(alerts))} of {_rules([group[0]['RuleName'] for group in groups])}{time}"


def _rules(names: Sequence[str]) -> str:
    return shortened(rule_name(names[0]), _MAX_NAME) if len(names) == 1 else _several(len(names), "rule")


def _matches(number: int) -> str:
    return "1 match" if number == 1 else f"{number} matches"


def _were_suppressed(number: int) -> str:
    return "1 more match was suppressed" if number == 1 else f"{number} more matches were suppressed"


def _several(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _bytes(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _surest(alert: Mapping[str, Any]) -> Mapping[str, Any]:
    best: Mapping[str, Any] = alert["Rule"]["Matches"][0]
    return best
