"""How long a rule stays silent after an alert, and what it owes people for that: a count in the next message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOLD_SECONDS = 120
"""How long a sender may keep a cooldown: longer than any function that sends may run, so that only a crash outlives it."""

LAST_WORD_SECONDS = 3600
"""How long after a cooldown's end its count waits for the next alert to tell it, before a digest does."""

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True)
class Window:
    """One cooldown: of a rule, or of a rule and one source."""

    cooldown_id: str
    seconds: int
    rule_id: str
    rule_name: str
    channels: tuple[str, ...]
    due: int = 0
    """Since when (ms) a digest is to tell its count; 0 where that wasn't asked."""


@dataclass(frozen=True)
class Suppressed:
    """How many matches were kept back since then (ISO 8601), and the cooldown in seconds that did it."""

    count: int
    since: str
    seconds: int


def window_of(rule: Mapping[str, Any], source: str) -> Window | None:
    """The cooldown that a match of this rule, in an image of this source, falls under; None when the rule has none."""
    cooldown = rule.get("Cooldown") or {}
    seconds = int(cooldown.get("Seconds", 0))
    if seconds <= 0:
        return None
    cooldown_id = f"{rule['RuleId']}#{source}" if cooldown.get("PerSource") else rule["RuleId"]
    return Window(cooldown_id, seconds, rule["RuleId"], rule["Name"], channels_of(rule))


def channels_of(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """The channels that a rule's alerts go to, each once, in its order."""
    channels: Sequence[str] = rule.get("Channels") or ["email"]
    return tuple(dict.fromkeys(channels))


def token(alert_id: str) -> bytes:
    """Eight bytes that stand for an alert while it is being counted."""
    return bytes.fromhex(alert_id[:16])


def in_words(seconds: int) -> str:
    """600 -> "10 minutes": exact, in the largest unit that is."""
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    number = seconds // size
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
