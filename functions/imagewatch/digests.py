"""What a digest says: how many matches of which rule in which time, the surest ones with links, and what cooldowns kept back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagewatch.alerts import MAX_SUBJECT, minute, one_line, percent, rule_name, shortened, suppressed_line, what
from imagewatch.cooldown import Suppressed

SHOWN = 3  # of one rule's matches
MAX_IN_FULL = 10  # rules with their matches; SNS takes 262,144 bytes, and a link can be long
MAX_RULES = 200  # rules by name; what is beyond is counted together
_MAX_NAME = 50
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class Told:
    """What a cooldown kept back, told in this digest."""

    rule_id: str
    rule_name: str
    suppressed: Suppressed


@dataclass(frozen=True)
class Digest:
    """One message about many matches."""

    subject: str
    body: str


def compose(alerts: Sequence[Mapping[str, Any]], told: Sequence[Told]) -> Digest:
    """The digest of these alerts (as recorded) and of these counts; every one of them is in a number that it says."""
    groups = _by_rule(alerts)
    owed = [entry for entry in told if entry.suppressed.count]
    grouped = {group[0]["RuleId"] for group in groups[:MAX_RULES]}
    lines = ["These could not be sent one by one, so here they are together.", ""] if groups else []
    for number, group in enumerate(groups[:MAX_RULES]):
        lines += _group_lines(group, [t for t in owed if t.rule_id == group[0]["RuleId"]], in_full=number < MAX_IN_FULL)
    if rest := groups[MAX_RULES:]:
        lines += [f"{_matches(sum(map(len, rest)))} of {len(rest)} other rules", ""]
    others = [entry for entry in owed if entry.rule_id not in grouped]
    lines += [_owed_line(entry) for entry in others[:MAX_RULES]]
    if rest_owed := others[MAX_RULES:]:
        count = sum(entry.suppressed.count for entry in rest_owed)
        lines += [f"Other rules: {count} more matches were suppressed by cooldowns."]
    lines += [""] if others else []
    lines += ["These rules are on your watchlist. A higher confidence or a cooldown there makes fewer messages of them."]
    return Digest(shortened(_subject(groups, owed), MAX_SUBJECT), "\n".join(lines))


def span(alerts: Sequence[Mapping[str, Any]]) -> str:
    """The time from the first alert to the last in words, rounded: "5 minutes"."""
    moments = sorted(alert["CreatedAt"] for alert in alerts)
    seconds = (datetime.fromisoformat(moments[-1]) - datetime.fromisoformat(moments[0])).total_seconds()
    for unit, size, least in (("days", 86_400, 2), ("hours", 3600, 2), ("minutes", 60, 1.5)):
        if seconds >= least * size:
            return f"{round(seconds / size)} {unit}"
    return "1 second" if seconds <= 1 else f"{round(seconds)} seconds"


def _by_rule(alerts: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Each rule's alerts, the surest first; severe rules first, then those with most."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for alert in alerts:
        groups.setdefault(alert["RuleId"], []).append(alert)
    ordered = [sorted(group, key=lambda alert: (-_surest(alert)["Confidence"], alert["CreatedAt"])) for group in groups.values()]
    return sorted(ordered, key=lambda group: (_SEVERITIES.index(group[0]["Severity"]), -len(group), group[0]["RuleId"]))


def _group_lines(group: Sequence[Mapping[str, Any]], told: Sequence[Told], *, in_full: bool) -> list[str]:
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
    return [*lines, *(f"  {suppressed_line(entry.suppressed)}" for entry in told), ""]


def _owed_line(entry: Told) -> str:
    return f'"{shortened(rule_name(entry.rule_name), _MAX_NAME)}": {suppressed_line(entry.suppressed)}'


def _subject(groups: Sequence[Sequence[Mapping[str, Any]]], owed: Sequence[Told]) -> str:
    alerts = [alert for group in groups for alert in group]
    if not alerts:
        rules = {entry.rule_id: entry.rule_name for entry in owed}
        kept_back = sum(entry.suppressed.count for entry in owed)
        return f"{kept_back} suppressed {'match' if kept_back == 1 else 'matches'} of {_rules(list(rules.values()))}"
    urgent = "CRITICAL: " if groups[0][0]["Severity"] == "critical" else ""
    time = f" in {span(alerts)}" if len(alerts) > 1 else ""
    return f"{urgent}{_matches(len(alerts))} of {_rules([group[0]['RuleName'] for group in groups])}{time}"


def _rules(names: Sequence[str]) -> str:
    return shortened(rule_name(names[0]), _MAX_NAME) if len(names) == 1 else f"{len(names)} rules"


def _matches(number: int) -> str:
    return "1 match" if number == 1 else f"{number} matches"


def _surest(alert: Mapping[str, Any]) -> Mapping[str, Any]:
    best: Mapping[str, Any] = alert["Rule"]["Matches"][0]
    return best
