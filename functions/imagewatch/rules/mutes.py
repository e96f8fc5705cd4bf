"""Mutes of sources, and of everything, for a limited time. One item of the WatchlistTable has them all.

A mute is not a rule: no rule can have the item's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imagewatch.errors import InvalidRule, Problem
from imagewatch.rules.fields import MOMENT, Place, shown
from imagewatch.timestamps import iso_utc

MUTES_ID = "#mutes"
"""The RuleId of the item. "#" is in no rule's id."""


@dataclass(frozen=True)
class Mutes:
    """Until when sources are muted. Times are ISO 8601, UTC, milliseconds."""

    everything: str = ""
    """Until when all sources are muted; empty when they are not."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """By source, as `normal_source`."""
    version: int = 0
    """Increased with each write; 0 when nothing is stored."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Mutes:
        """Reads what `to_item` wrote. Raises InvalidRule for a time that can't be read."""
        sources = item.get("Sources", {})
        if not isinstance(sources, Mapping):
            text = f"Sources must be a mapping of sources to times, not {shown(sources)}."
            raise InvalidRule(Problem(("Sources",), text, _OWNER))
        everything = _until(item["All"]) if item.get("All") else ""
        return cls(everything, {str(name): _until(until) for name, until in sources.items()}, int(item.get("Version", 1)))

    def to_item(self) -> dict[str, Any]:
        always = {"RuleId": MUTES_ID, "Version": self.version, "Sources": dict(sorted(self.sources.items()))}
        return always | ({"All": self.everything} if self.everything else {})

    def active(self, now: datetime) -> Mutes:
        """These mutes without the expired ones."""
        moment = iso_utc(now)
        sources = {name: until for name, until in self.sources.items() if moment < until}
        return Mutes(self.everything if moment < self.everything else "", sources, self.version)

    def reason(self, source: str, now: datetime) -> str | None:
        """Why no match of this source may alert now; None when it may."""
        moment = iso_utc(now)
        named = (("all sources", self.everything), (source, self.sources.get(source, "")))
        return next((f"muted until {until}: {what}" for what, until in named if moment < until), None)


NO_MUTES = Mutes()
_OWNER = "The mutes"


def _until(value: Any) -> str:
    try:
        return MOMENT.read(value, Place())
    except ValueError as error:
        raise InvalidRule(Problem((), f"A mute's end must be {MOMENT.must}, not {shown(value)}.", _OWNER)) from error
