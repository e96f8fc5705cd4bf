"""What an alert says, how it stands, and when it is the same alert: one for each rule and image version, whatever is retried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.alerts.cooldown import Suppressed, in_words
from imagewatch.images.version import ImageVersion, sha256_hex
from imagewatch.text import one_line, shortened

# How an alert stands, and each of its deliveries.
PENDING = "PENDING"  # to be sent, or to be tried again
QUEUED = "QUEUED"  # waits for a digest
SENT = "SENT"
DIGESTED = "DIGESTED"  # told in a digest
SUPPRESSED = "SUPPRESSED"  # kept back by a cooldown, and counted
FAILED = "FAILED"
_PRECEDENCE = (PENDING, QUEUED, SENT, DIGESTED, SUPPRESSED, FAILED)

MAX_SUBJECT = 99  # SNS refuses subjects of 100 characters and more
_MAX_NAME = 40  # of a rule in the subject, so that what was found is in it too


@dataclass(frozen=True)
class Alert:
    """One message to people about one rule that matched one version of an image."""

    alert_id: str
    rule_id: str
    rule_name: str
    subject: str
    body: str


def alert_id(image: ImageVersion, rule: Mapping[str, Any]) -> str:
    """The one alert of this rule and this version of the image: 32 hexadecimal digits."""
    return sha256_hex(rule["RuleId"], image.image_id, image.version)[:32]


def status_of(deliveries: Mapping[str, Mapping[str, Any]], channels: Sequence[str]) -> str:
    """How an alert stands whose deliveries stand so: what is still to be done comes first, then the best that was reached."""
    found = {deliveries.get(channel, {}).get("Status", PENDING) for channel in channels}
    return next(status for status in _PRECEDENCE if status in found)


def entry(status: str, now: str, reason: str = "") -> dict[str, Any]:
    """How one delivery stands since `now`, and why if that needs saying."""
    return {"Status": status, "At": now, **({"Reason": reason} if reason else {})}


def compose(
    image: ImageVersion,
    rule: Mapping[str, Any],
    moderation: Mapping[str, Any],
    link: str,
    execution_link: str,
    suppressed: Suppressed | None = None,
) -> Alert:
    """The alert for one matched rule (as the watchlist gives it); safe to publish whatever the file is called.

    `suppressed` is how many matches the rule's cooldown has kept back since the alert before this one.
    """
    best, severity = rule["Matches"][0], rule.get("Severity", "warning")
    name, file_name = rule_name(rule["Name"]), one_line(_file_name(image.key)) or "a file without a name"
    urgent = "CRITICAL: " if severity == "critical" else ""
    subject = f"{urgent}{shortened(name, _MAX_NAME)}: {what(best)} {percent(best['Confidence'])} in {file_name}"
    rule_id, version = one_line(rule["RuleId"]), f", version {rule['RuleVersion']}" if "RuleVersion" in rule else ""
    lines = [
        f'Your rule "{name}" matched an image.',
        "",
        *(_match_line(match) for match in rule["Matches"]),
        *([f"  and {rule['MoreMatches']} more"] if rule.get("MoreMatches") else []),
        "",
        f"Image:      {one_line(image.key)}",
        f"From:       {one_line(image.source)}",
        f"Uploaded:   {minute(image.uploaded_at)}",
        f"Severity:   {severity}",
        f"Moderation: {moderation_line(moderation)}",
        "",
        f"See the image:           {link}",
        f"See how it was analysed: {execution_link}",
        "",
        *([f"{suppressed_line(suppressed)}", ""] if suppressed and suppressed.count else []),
        f"This rule (id {rule_id}{version}) is on your watchlist.",
        f"Too many of these? imagewatch rules snooze {rule_id} --for 8h",
        was_it_wrong(alert_id(image, rule)),
    ]
    return Alert(alert_id(image, rule), rule["RuleId"], rule["Name"], shortened(subject, MAX_SUBJECT), "\n".join(lines))


def was_it_wrong(alert: str) -> str:
    """The last line of an alert: how people say that it should not have been one. `alert` is its id."""
    return f"Was it wrong? imagewatch alerts not-this {alert}"


def suppressed_line(suppressed: Suppressed) -> str:
    """What a cooldown kept back, and why."""
    several = f"{suppressed.count} more matches" if suppressed.count > 1 else "1 more match"
    since = f"{several} of this rule since {minute(suppressed.since)}"
    return f"{since}: suppressed by its cooldown of {in_words(suppressed.seconds)}."


def rule_name(name: str) -> str:
    """A rule's name as messages show it."""
    return one_line(name) or "Unnamed rule"


def minute(moment: str) -> str:
    """ISO 8601 as people read it: 2026-11-20 16:05:09 UTC."""
    return f"{moment.replace('T', ' ')[:19]} UTC"


def moderation_line(moderation: Mapping[str, Any]) -> str:
    """What moderation says, in a few words; what was not looked at is never called clean."""
    if moderation["Status"] != "CHECKED":
        return f"not checked. {one_line(moderation.get('Reason', ''))}".strip()
    if not moderation["Labels"]:
        return "nothing found"
    top = sorted(moderation["Labels"], key=lambda label: -label["Confidence"])[:3]
    return ", ".join(f"{one_line(label['Name'])} ({percent(label['Confidence'])})" for label in top)


def _match_line(match: Mapping[str, Any]) -> str:
    several = f", {match['Count']} of them" if match["Count"] > 1 else ""
    return f"  {what(match)}, {percent(match['Confidence'])} sure{several}"


def what(match: Mapping[str, Any]) -> str:
    """What the rule asked for, and what was found where that is something more specific: "vehicle (Car)"."""
    term, label = one_line(match["Term"]), one_line(match["Label"])
    return label if term.casefold() == label.casefold() else f"{term} ({label})"


def percent(confidence: float) -> str:
    """91.37 -> "91.3 %"."""
    # Never rounded up: 79.96 % must not read as the 80 % that a rule asks for.
    return f"{int(float(confidence) * 10) / 10:g} %"


def _file_name(key: str) -> str:
    return key.rstrip("/").rsplit("/", 1)[-1]
