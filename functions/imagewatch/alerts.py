"""What an alert says and when it is the same alert: one for each rule and image version, whatever is retried."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch.images import ImageVersion, sha256_hex

PENDING = "PENDING"
SENT = "SENT"
FAILED = "FAILED"

MAX_SUBJECT = 99  # SNS refuses subjects of 100 characters and more
_MAX_NAME = 40  # of a rule in the subject, so that what was found is in it too
_MAX_LINE = 400


@dataclass(frozen=True)
class Alert:
    """One message to people about one rule that matched one version of an image."""

    alert_id: str
    rule_id: str
    rule_name: str
    subject: str
    body: str


def compose(image: ImageVersion, rule: Mapping[str, Any], moderation: Mapping[str, Any], link: str, execution_link: str) -> Alert:
    """The alert for one matched rule (as `watchlist.evaluate` returns it); safe to publish whatever the file is called."""
    best = rule["Matches"][0]
    name, file_name = one_line(rule["Name"]) or "Unnamed rule", one_line(_file_name(image.key)) or "a file without a name"
    subject = f"{_shortened(name, _MAX_NAME)}: {_what(best)} {_percent(best['Confidence'])} in {file_name}"
    lines = [
        f'Your rule "{name}" matched an image.',
        "",
        *(_match_line(match) for match in rule["Matches"]),
        *([f"  and {rule['MoreMatches']} more"] if rule.get("MoreMatches") else []),
        "",
        f"Image:      {one_line(image.key)}",
        f"From:       {one_line(image.source)}",
        f"Uploaded:   {image.uploaded_at.replace('T', ' ')[:19]} UTC",
        f"Moderation: {moderation_line(moderation)}",
        "",
        f"See the image:           {link}",
        f"See how it was analysed: {execution_link}",
        "",
        f"This rule (id {one_line(rule['RuleId'])}) is on your watchlist. Disable it there if you no longer want these messages.",
    ]
    alert_id = sha256_hex(rule["RuleId"], image.image_id, image.version)[:32]
    return Alert(alert_id, rule["RuleId"], rule["Name"], _shortened(subject, MAX_SUBJECT), "\n".join(lines))


def moderation_line(moderation: Mapping[str, Any]) -> str:
    """What moderation says, in a few words; what was not looked at is never called clean."""
    if moderation["Status"] != "CHECKED":
        return f"not checked. {one_line(moderation.get('Reason', ''))}".strip()
    if not moderation["Labels"]:
        return "nothing found"
    top = sorted(moderation["Labels"], key=lambda label: -label["Confidence"])[:3]
    return ", ".join(f"{one_line(label['Name'])} ({_percent(label['Confidence'])})" for label in top)


def one_line(text: str) -> str:
    """Text from outside (file names, rule names) without line breaks and control characters, which SNS refuses."""
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in text)
    return _shortened(" ".join(visible.split()), _MAX_LINE)


def _match_line(match: Mapping[str, Any]) -> str:
    several = f", {match['Count']} of them" if match["Count"] > 1 else ""
    return f"  {_what(match)}, {_percent(match['Confidence'])} sure{several}"


def _what(match: Mapping[str, Any]) -> str:
    """What the rule asked for, and what was found where that is something more specific: "vehicle (Car)"."""
    term, label = one_line(match["Term"]), one_line(match["Label"])
    return label if term.casefold() == label.casefold() else f"{term} ({label})"


def _percent(confidence: float) -> str:
    # Never rounded up: 79.96 % must not read as the 80 % that a rule asks for.
    return f"{int(float(confidence) * 10) / 10:g} %"


def _file_name(key: str) -> str:
    return key.rstrip("/").rsplit("/", 1)[-1]


def _shortened(text: str, limit: int) -> str:
    # Counted in UTF-16 units: SNS doesn't say how it counts an emoji, and two is the most that it can be.
    units = text.encode("utf-16-le")
    return text if len(units) <= 2 * limit else units[: 2 * (limit - 1)].decode("utf-16-le", "ignore").rstrip() + "…"
