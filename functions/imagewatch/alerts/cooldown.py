"""Cooldowns: how long a rule sends nothing after an alert. The next message reports the matches suppressed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagewatch.alerts.channel import EMAIL

if TYPE_CHECKING:
    from imagewatch.rules.matched_rule import MatchedRule
    from imagewatch.rules.model import Rule

LEASE_SECONDS = 120
"""How long a sender owns a cooldown: longer than any function that sends may run, so that only a crashed sender loses it."""

REPORT_DELAY_SECONDS = 3600
"""How long after a cooldown's end its count waits for the next alert to report it, before a digest does."""

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True)
class CooldownScope:
    """What one cooldown applies to: a rule, or a rule and one source."""

    cooldown_id: str
    seconds: int
    rule_id: str
    rule_name: str
    channels: tuple[str, ...]
    report_after: int = 0
    """From when on (ms) a digest reports its count; 0 where that was not read."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> CooldownScope:
        return cls(
            item["CooldownId"],
            int(item["Seconds"]),
            item["RuleId"],
            item["RuleName"],
            tuple(item["Channels"]),
            int(item["ReportAfter"]),
        )


@dataclass(frozen=True)
class Suppressed:
    """How many matches a cooldown of so many seconds has suppressed since then (ISO 8601)."""

    count: int
    since: str
    seconds: int


@dataclass(frozen=True)
class CooldownLease:
    """A cooldown that one alert or digest owns until it completes or releases it."""

    scope: CooldownScope
    owner: str
    unreported: Suppressed
    """What the owner's message has to report."""


def cooldown_scope(rule: MatchedRule | Rule, source: str) -> CooldownScope | None:
    """The cooldown that applies to a match of this rule in an image of this source; None when the rule has none."""
    if rule.cooldown.seconds <= 0:
        return None
    cooldown_id = f"{rule.rule_id}#{source}" if rule.cooldown.per_source else rule.rule_id
    return CooldownScope(cooldown_id, rule.cooldown.seconds, rule.rule_id, rule.name, channels_of(rule))


def channels_of(rule: MatchedRule | Rule) -> tuple[str, ...]:
    """The channels of a rule's alerts, in its order, without repetitions; e-mail for a rule without channels."""
    return tuple(dict.fromkeys(rule.channels)) or (EMAIL,)


def pending_token(alert_id: str) -> bytes:
    """Eight bytes that mark an alert as counted, until its own record says so."""
    return bytes.fromhex(alert_id[:16])


def render_duration(seconds: int) -> str:
    """600 -> "10 minutes": exact, in the largest unit that allows it."""
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    number = seconds // size
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
