"""The verdict about one rule and one image: that the rule matches, which detections make it match, and how it is to alert.

The rest of a rule is in `rules.model`. Functions that send alerts import this module alone, because `rules.model` takes longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("info", "warning", "critical")
IMMEDIATE, DIGEST = "immediate", "digest"


@dataclass(frozen=True)
class Cooldown:
    """How long a rule sends no further alert after one that was sent, in seconds; 0 is no cooldown."""

    seconds: int = 0
    per_source: bool = False

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Cooldown:
        """Reads what `to_item` wrote. `rules.model` reads what people wrote."""
        return cls(int(item["Seconds"]), bool(item.get("PerSource", False)))

    def to_item(self) -> dict[str, Any]:
        return {"Seconds": self.seconds, "PerSource": self.per_source}


NO_COOLDOWN = Cooldown()


@dataclass(frozen=True)
class Match:
    """One detection that fulfils a term, as records and alerts show it."""

    term: str
    label: str
    """The most specific label that fulfils the term, or the text in the image."""
    kind: str
    """How the label fulfils it: one of `terms.KINDS`."""
    confidence: float
    """0-100."""
    count: int
    """How many instances fulfil the term."""
    box: Mapping[str, float] | None = None
    """The box of the instance with the highest confidence: Left, Top, Width and Height, as ratios 0-1 of the image."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Match:
        """Reads what this or an earlier `to_item` wrote. Raises KeyError for a missing Term, Label or Confidence."""
        return cls(
            item["Term"], item["Label"], item.get("Kind", "name"), item["Confidence"], item.get("Count", 1), item.get("Box")
        )

    def to_item(self) -> dict[str, Any]:
        item = {
            "Term": self.term,
            "Label": self.label,
            "Kind": self.kind,
            "Confidence": self.confidence,
            "Count": self.count,
        }
        return item | ({"Box": dict(self.box)} if self.box else {})


@dataclass(frozen=True)
class MatchedRule:
    """A rule that matches an image: an entry of a record's MatchedRules, and of the workflow's state."""

    rule_id: str
    name: str
    version: int
    severity: str
    channels: tuple[str, ...]
    matches: tuple[Match, ...]
    """In descending order of confidence."""
    cooldown: Cooldown = NO_COOLDOWN
    bypass_quiet_hours: bool = False
    more_matches: int = 0
    """How many further matches are counted and not listed."""
    muted: str = ""
    """Why the match sends no alert; empty if it may send one."""
    definition: Mapping[str, Any] | None = None
    """The rule's item as it was when it matched. Alerts keep it; records don't."""
    delivery: str = IMMEDIATE
    """IMMEDIATE or DIGEST."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> MatchedRule:
        """Reads what this or an earlier `to_item` wrote. Raises KeyError for a missing RuleId."""
        return cls(
            item["RuleId"],
            item.get("Name", item["RuleId"]),
            item.get("RuleVersion", 1),
            item.get("Severity", "warning"),
            tuple(item.get("Channels", ("email",))),
            tuple(map(Match.from_item, item.get("Matches", ()))),
            Cooldown.from_item(item["Cooldown"]) if item.get("Cooldown") else NO_COOLDOWN,
            item.get("BypassQuietHours", False),
            item.get("MoreMatches", 0),
            item.get("Muted", ""),
            item.get("Definition"),
            item.get("Delivery", IMMEDIATE),
        )

    def to_item(self) -> dict[str, Any]:
        """Fields that are empty are left out: hundreds of these have to fit into one state."""
        optional = {
            "Cooldown": self.cooldown.to_item() if self.cooldown.seconds else None,
            "Delivery": self.delivery if self.delivery != IMMEDIATE else None,
            "BypassQuietHours": self.bypass_quiet_hours,
            "MoreMatches": self.more_matches,
            "Muted": self.muted,
            "Definition": self.definition,
        }
        return {
            "RuleId": self.rule_id,
            "Name": self.name,
            "RuleVersion": self.version,
            "Severity": self.severity,
            "Channels": list(self.channels),
            "Matches": [match.to_item() for match in self.matches],
            **{name: value for name, value in optional.items() if value},
        }
