"""The text of a digest: how many matches of which rule in which time, the best ones with links, and the suppressed counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from imagewatch.alerts import slack_text
from imagewatch.alerts.alert import Alert
from imagewatch.alerts.alert_text import (
    MAX_SUBJECT,
    MessageText,
    percent,
    render_match,
    render_rule_name,
    render_suppressed,
    render_time,
)
from imagewatch.alerts.digest import SuppressedCount
from imagewatch.rules.matched_rule import SEVERITIES, Match
from imagewatch.text import one_line, shortened

MAX_BYTES = 250_000  # SNS takes 262,144
SHOWN = 3  # matches of one rule
MAX_IN_FULL = 10  # rules with their matches
MAX_RULES = 200  # rules by name; those beyond are counted together
MAX_COOLDOWNS = 20  # of one rule, one by one
_MAX_NAME = 50
_RESERVED = 400  # bytes for the sums and the last line


def compose(alerts: Sequence[Alert], counts: Sequence[SuppressedCount], limit: int = MAX_BYTES) -> MessageText:
    """The digest of these alerts and of these counts, in at most `limit` bytes of UTF-8 (5,000 are enough).

    Every match is in a number of the text: rules that it does not name are in the sums at its end.
    """
    groups = _by_rule(alerts)
    unreported = sorted((count for count in counts if count.suppressed.count), key=lambda count: -count.suppressed.count)
    parts = [_part(group, [count for count in unreported if count.rule_id == group[0].rule_id]) for group in groups]
    matched = {group[0].rule_id for group in groups}
    without_alerts = dict.fromkeys(count.rule_id for count in unreported if count.rule_id not in matched)
    parts += [_part([], [count for count in unreported if count.rule_id == rule_id]) for rule_id in without_alerts]
    why = ["They could not be sent one by one, so they are listed together."] if len(alerts) > 1 else []
    lines = [_totals(parts), *why, ""]
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
    lines += ["These rules are on your watchlist. To get fewer messages, raise a rule's confidence or give it a cooldown."]
    return MessageText(shortened(_subject(groups, unreported), MAX_SUBJECT), "\n".join(lines))


def span(alerts: Sequence[Alert]) -> str:
    """The time from the first alert to the last, rounded: "5 minutes"."""
    moments = sorted(alert.created_at for alert in alerts)
    seconds = (datetime.fromisoformat(moments[-1]) - datetime.fromisoformat(moments[0])).total_seconds()
    for unit, size, least in (("day", 86_400, 2), ("hour", 3600, 2), ("minute", 60, 1.5)):
        if seconds >= least * size:
            return _several(round(seconds / size), unit)
    return _several(max(round(seconds), 1), "second")


def _by_rule(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Each rule's alerts, the highest confidence first. Severe rules come first, then those with the most alerts."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.rule_id, []).append(alert)
    ordered = [sorted(group, key=lambda alert: (-_best(alert).confidence, alert.created_at)) for group in groups.values()]
    return sorted(ordered, key=lambda group: (-SEVERITIES.index(group[0].severity), -len(group), group[0].rule_id))


@dataclass(frozen=True)
class _Part:
    """One rule in a digest: its matches and its suppressed counts, with links (`full`) and without (`short`)."""

    matches: int
    suppressed: int
    full: list[str]
    short: list[str]


def _part(group: Sequence[Alert], counts: Sequence[SuppressedCount]) -> _Part:
    suppressed = sum(count.suppressed.count for count in counts)
    if not group:
        name = shortened(render_rule_name(counts[0].rule_name), _MAX_NAME)
        lines = [f'"{name}": {line.lstrip()}' for line in [*_count_lines(counts), *_fallback_lines([], counts)]]
        return _Part(0, suppressed, lines, lines)
    return _Part(len(group), suppressed, *(_group_lines(group, counts, in_full=in_full) for in_full in (True, False)))


def _group_lines(group: Sequence[Alert], counts: Sequence[SuppressedCount], *, in_full: bool) -> list[str]:
    name = shortened(render_rule_name(group[0].rule_name), _MAX_NAME)
    time = f" in {span(group)}" if len(group) > 1 else ""
    more = len(group) - SHOWN if in_full else 0
    head = f'{_matches(len(group))} of "{name}"{time} ({group[0].severity})'
    lines = [f"{head}, the best ones below:" if more > 0 else f"{head}:" if in_full else head]
    lines += _fallback_lines(group, counts)
    for alert in group[:SHOWN] if in_full else ():
        best = _best(alert)
        lines += [f"  {render_match(best)} {percent(best.confidence)}, {one_line(alert.key)}, {render_time(alert.created_at)}"]
        lines += [f"    {alert.link}"]
    lines += [f"  and {more} more"] if more > 0 else []
    return [*lines, *_count_lines(counts), ""]


def _count_lines(counts: Sequence[SuppressedCount]) -> list[str]:
    """What one rule's cooldowns have suppressed: the largest counts one by one, the others as a sum."""
    lines = [f"  {render_suppressed(count.suppressed)}" for count in counts[:MAX_COOLDOWNS]]
    if rest := counts[MAX_COOLDOWNS:]:
        number = sum(count.suppressed.count for count in rest)
        lines += [f"  {_were_suppressed(number)} by {_several(len(rest), 'other cooldown')} of this rule."]
    return lines


def _fallback_lines(group: Sequence[Alert], counts: Sequence[SuppressedCount]) -> list[str]:
    """Why one rule's alerts or counts come by e-mail, if its channels failed."""
    of_alerts = [name for alert in group for name in alert.fallback_for]
    failed = dict.fromkeys([*of_alerts, *(name for count in counts for name in count.fallback_for)])
    return [f"  Sent by e-mail because these channels failed: {', '.join(failed)}."] if failed else []


def _sums(left_out: Sequence[_Part]) -> list[str]:
    """The numbers of the rules that the digest does not name."""
    lines = []
    if matched := [part.matches for part in left_out if part.matches]:
        lines += [f"{_matches(sum(matched))} of {_several(len(matched), 'other rule')}"]
    if suppressed := [part.suppressed for part in left_out if part.suppressed]:
        lines += [f"{_several(len(suppressed), 'other rule')}: {_were_suppressed(sum(suppressed))} by cooldowns."]
    return [*lines, ""] if lines else []


def _totals(parts: Sequence[_Part]) -> str:
    matches = [part.matches for part in parts if part.matches]
    suppressed = [part.suppressed for part in parts if part.suppressed]
    if not matches:
        return f"In all: {_matches(sum(suppressed))} of {_several(len(suppressed), 'rule')}, suppressed by cooldowns."
    more = f", and {sum(suppressed)} more suppressed by cooldowns" if suppressed else ""
    return f"In all: {_matches(sum(matches))} of {_several(len(matches), 'rule')}{more}."


def _subject(groups: Sequence[Sequence[Alert]], unreported: Sequence[SuppressedCount]) -> str:
    alerts = [alert for group in groups for alert in group]
    if not alerts:
        rules = {count.rule_id: count.rule_name for count in unreported}
        number = sum(count.suppressed.count for count in unreported)
        return f"{number} suppressed {'match' if number == 1 else 'matches'} of {_rules(list(rules.values()))}"
    urgent = "CRITICAL: " if groups[0][0].severity == "critical" else ""
    time = f" in {span(alerts)}" if len(alerts) > 1 else ""
    return f"{urgent}{_matches(len(alerts))} of {_rules([group[0].rule_name for group in groups])}{time}"


def _rules(names: Sequence[str]) -> str:
    return shortened(render_rule_name(names[0]), _MAX_NAME) if len(names) == 1 else _several(len(names), "rule")


def _matches(number: int) -> str:
    return "1 match" if number == 1 else f"{number} matches"


def _were_suppressed(number: int) -> str:
    return "1 more match was suppressed" if number == 1 else f"{number} more matches were suppressed"


def _several(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _bytes(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _best(alert: Alert) -> Match:
    return alert.matches[0]


def max_bytes(kind: str) -> int:
    """How many bytes of UTF-8 a digest may have on a channel of this kind, so that all of it is shown."""
    return slack_text.MAX_TEXT - 100 if kind == "slack" else MAX_BYTES
