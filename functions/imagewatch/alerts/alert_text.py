"""The text of an alert's message: subject and body, for one rule or for several rules that matched the same image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.alerts.alert import Alert
from imagewatch.alerts.cooldown import Suppressed, render_duration
from imagewatch.images.version import UPLOADS_PREFIX, ImageVersion
from imagewatch.rules.matched_rule import SEVERITIES, Match
from imagewatch.text import one_line, shortened

MAX_SUBJECT = 99  # SNS refuses subjects of 100 characters and more
_MAX_NAME = 40  # of a rule in the subject, so that what was found is in it too
_MAX_SOURCE = 30
_MATCHES_OF_SEVERAL = 3  # of each rule, in a message about several
_MAX_TERM = 100  # characters, in a message about several
_COOLDOWNS = ((600, "10m"), (3600, "1h"), (86_400, "1d"))


@dataclass(frozen=True)
class MessageText:
    """The text of one message."""

    subject: str
    """One line of at most MAX_SUBJECT UTF-16 units."""
    body: str
    feedback: str = ""
    """The end of the body: the commands that mark its alerts as wrong."""


@dataclass(frozen=True)
class Entry:
    """One alert of a message, and how many matches its rule's cooldown has suppressed since the alert before."""

    alert: Alert
    suppressed: Suppressed | None = None


def compose(
    image: ImageVersion, entries: Sequence[Entry], moderation: Mapping[str, Any], execution_link: str, note: str = ""
) -> MessageText:
    """The text for the alerts of one image, in their order; safe to publish whatever the file and the rules are called.

    `note` says why the message is on another channel than the rules ask for.
    """
    severity, link = entries[0].alert.severity, entries[0].alert.link
    feedback = render_feedback([entry.alert for entry in entries])
    lines = [
        *(_one_rule(entries[0].alert) if len(entries) == 1 else _several_rules([entry.alert for entry in entries])),
        "",
        f"Image:      {one_line(image.key)}",
        f"From:       {one_line(image.source)}",
        f"Uploaded:   {render_time(image.uploaded_at)}",
        f"Severity:   {severity}",
        f"Moderation: {render_moderation(moderation)}",
        "",
        f"See the image:           {link}",
        f"See how it was analysed: {execution_link}",
        "",
        *([one_line(note), ""] if note else []),
        *_suppressed_lines(entries),
        *(_advice_for_one(entries[0].alert) if len(entries) == 1 else _advice_for_several(entries)),
        feedback,
    ]
    subject = _subject([entry.alert for entry in entries], image)
    return MessageText(shortened(subject, MAX_SUBJECT), "\n".join(lines), feedback)


def by_severity(entries: Sequence[Entry]) -> list[Entry]:
    """The most severe first; among equals, the order of the rules."""
    return sorted(entries, key=lambda entry: -SEVERITIES.index(entry.alert.severity))


def render_feedback(alerts: Sequence[Alert]) -> str:
    """The end of a message: the command that marks each of its alerts as wrong."""
    if len(alerts) == 1:
        return f"Was it wrong? imagewatch alerts not-this {alerts[0].alert_id}"
    named = (f"  imagewatch alerts not-this {alert.alert_id}  ({_short_name(alert)})" for alert in alerts)
    return "\n".join(["Was one of them wrong?", *named])


def render_suppressed(suppressed: Suppressed) -> str:
    """How many matches a cooldown has suppressed, since when, and how long the cooldown is."""
    several = f"{suppressed.count} more matches" if suppressed.count > 1 else "1 more match"
    since = f"{several} of this rule since {render_time(suppressed.since)}"
    return f"{since}: suppressed by its cooldown of {render_duration(suppressed.seconds)}."


def render_rule_name(name: str) -> str:
    """A rule's name as messages show it."""
    return one_line(name) or "Unnamed rule"


def render_time(moment: str) -> str:
    """ISO 8601 for people: 2026-11-20 16:05:09 UTC."""
    return f"{moment.replace('T', ' ')[:19]} UTC"


def render_moderation(moderation: Mapping[str, Any]) -> str:
    """The result of moderation in a few words. An image that was not checked is never called clean."""
    if moderation["Status"] != "CHECKED":
        return f"not checked. {one_line(moderation.get('Reason', ''))}".strip()
    top = sorted(moderation["Labels"], key=lambda label: -label["Confidence"])[:3]
    found = ", ".join(f"{one_line(label['Name'])} ({percent(label['Confidence'])})" for label in top) or "nothing found"
    scope = one_line(moderation.get("Scope") or "")
    return f"{found}; checked for {scope}" if scope else found


def render_match(match: Match) -> str:
    """The rule's term, and the label where that is more specific: "vehicle (Car)"."""
    term, label = one_line(match.term), one_line(match.label)
    return label if term.casefold() == label.casefold() else f"{term} ({label})"


def percent(confidence: float) -> str:
    """91.37 -> "91.3 %"."""
    # Never rounded up: 79.96 % must not read as the 80 % that a rule asks for.
    return f"{int(float(confidence) * 10) / 10:g} %"


def _subject(alerts: Sequence[Alert], image: ImageVersion) -> str:
    urgent = "CRITICAL: " if alerts[0].severity == "critical" else ""
    if len(alerts) > 1:
        return f"{urgent}{len(alerts)} rules matched in {_place(image)}: {', '.join(_short_name(alert) for alert in alerts)}"
    best = alerts[0].matches[0]
    return f"{urgent}{_short_name(alerts[0])}: {render_match(best)} {percent(best.confidence)} in {_place(image)}"


def _place(image: ImageVersion) -> str:
    """The camera and the file: "front-door/car 1.jpg"."""
    file_name = one_line(image.key.rstrip("/").rsplit("/", 1)[-1]) or "a file without a name"
    has_source = image.owner or "/" in image.key.removeprefix(UPLOADS_PREFIX).strip("/")
    source = shortened(one_line(image.source), _MAX_SOURCE) if has_source else ""
    return f"{source}/{file_name}" if source else file_name


def _one_rule(alert: Alert) -> list[str]:
    more = alert.rule.more_matches
    return [
        f'Your rule "{render_rule_name(alert.rule_name)}" matched an image.',
        "",
        *(_match_line(match) for match in alert.matches),
        *([f"  and {more} more"] if more else []),
    ]


def _several_rules(alerts: Sequence[Alert]) -> list[str]:
    lines = [f"{len(alerts)} of your rules matched an image."]
    for alert in alerts:
        shown = alert.matches[:_MATCHES_OF_SEVERAL]
        more = len(alert.matches) - len(shown) + alert.rule.more_matches
        lines += [
            "",
            f'"{render_rule_name(alert.rule_name)}" ({alert.severity}):',
            *(_match_line(match, _MAX_TERM) for match in shown),
        ]
        lines += [f"  and {more} more"] if more else []
    return lines


def _suppressed_lines(entries: Sequence[Entry]) -> list[str]:
    lines = []
    for entry in entries:
        if entry.suppressed and entry.suppressed.count:
            name = f'"{_short_name(entry.alert)}": ' if len(entries) > 1 else ""
            lines.append(f"{name}{render_suppressed(entry.suppressed)}")
    return [*lines, ""] if lines else []


def _advice_for_one(alert: Alert) -> list[str]:
    rule_id = one_line(alert.rule_id)
    longer = _longer_cooldown(alert)
    return [
        f"This rule (id {rule_id}, version {alert.rule_version}) is on your watchlist.",
        *([f"Too many of these? imagewatch rules edit {rule_id} --cooldown {longer}"] if longer else []),
        f"To mute it for some hours: imagewatch rules snooze {rule_id} --for 8h",
    ]


def _advice_for_several(entries: Sequence[Entry]) -> list[str]:
    alerts = [entry.alert for entry in entries]
    limited = [(alert, longer) for alert in alerts if (longer := _longer_cooldown(alert))]
    return [
        "These rules are on your watchlist.",
        *(["Too many of these?"] if limited else []),
        *(f"  imagewatch rules edit {one_line(alert.rule_id)} --cooldown {longer}" for alert, longer in limited),
        "To mute a rule for some hours: imagewatch rules snooze RULE --for 8h",
    ]


def _longer_cooldown(alert: Alert) -> str:
    """The next longer of a few usual cooldowns, as the client takes it; empty for a rule that has a day or more."""
    return next((text for usual, text in _COOLDOWNS if usual > alert.rule.cooldown.seconds), "")


def _match_line(match: Match, limit: int = 1000) -> str:
    several = f", {match.count} of them" if match.count > 1 else ""
    return f"  {shortened(render_match(match), limit)}, {percent(match.confidence)} sure{several}"


def _short_name(alert: Alert) -> str:
    return shortened(render_rule_name(alert.rule_name), _MAX_NAME)
