"""The text of an alert's message: subject and body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch.alerts.alert import alert_id
from imagewatch.alerts.cooldown import Suppressed, render_duration
from imagewatch.images.version import ImageVersion
from imagewatch.text import one_line, shortened

MAX_SUBJECT = 99  # SNS refuses subjects of 100 characters and more
_MAX_NAME = 40  # of a rule in the subject, so that what was found is in it too


@dataclass(frozen=True)
class MessageText:
    """The text of one message."""

    subject: str
    """One line of at most MAX_SUBJECT UTF-16 units."""
    body: str


def compose(
    image: ImageVersion,
    rule: Mapping[str, Any],
    moderation: Mapping[str, Any],
    link: str,
    execution_link: str,
    suppressed: Suppressed | None = None,
) -> MessageText:
    """The text for one matched rule (as the watchlist gives it), safe to publish whatever the file is called.

    `suppressed` is how many matches the rule's cooldown has suppressed since the alert before this one.
    """
    best, severity = rule["Matches"][0], rule.get("Severity", "warning")
    name, file_name = render_rule_name(rule["Name"]), one_line(_file_name(image.key)) or "a file without a name"
    urgent = "CRITICAL: " if severity == "critical" else ""
    subject = f"{urgent}{shortened(name, _MAX_NAME)}: {render_match(best)} {percent(best['Confidence'])} in {file_name}"
    rule_id, version = one_line(rule["RuleId"]), f", version {rule['RuleVersion']}" if "RuleVersion" in rule else ""
    lines = [
        f'Your rule "{name}" matched an image.',
        "",
        *(_match_line(match) for match in rule["Matches"]),
        *([f"  and {rule['MoreMatches']} more"] if rule.get("MoreMatches") else []),
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
        *([f"{render_suppressed(suppressed)}", ""] if suppressed and suppressed.count else []),
        f"This rule (id {rule_id}{version}) is on your watchlist.",
        f"Too many of these? imagewatch rules snooze {rule_id} --for 8h",
        render_feedback_line(alert_id(image, rule)),
    ]
    return MessageText(shortened(subject, MAX_SUBJECT), "\n".join(lines))


def render_feedback_line(alert: str) -> str:
    """The last line of an alert: the command that marks it as wrong. `alert` is its id."""
    return f"Was it wrong? imagewatch alerts not-this {alert}"


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


def render_match(match: Mapping[str, Any]) -> str:
    """The rule's term, and the label where that is more specific: "vehicle (Car)"."""
    term, label = one_line(match["Term"]), one_line(match["Label"])
    return label if term.casefold() == label.casefold() else f"{term} ({label})"


def percent(confidence: float) -> str:
    """91.37 -> "91.3 %"."""
    # Never rounded up: 79.96 % must not read as the 80 % that a rule asks for.
    return f"{int(float(confidence) * 10) / 10:g} %"


def _match_line(match: Mapping[str, Any]) -> str:
    several = f", {match['Count']} of them" if match["Count"] > 1 else ""
    return f"  {render_match(match)}, {percent(match['Confidence'])} sure{several}"


def _file_name(key: str) -> str:
    return key.rstrip("/").rsplit("/", 1)[-1]
