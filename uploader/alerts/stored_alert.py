"""An alert as it is recorded, as far as commands show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewatch.alerts.alert import Delivery
from imagewatch.images.version import UPLOADS_PREFIX
from imagewatch.rules.matched_rule import MatchedRule


@dataclass(frozen=True)
class Mark:
    """A user's mark that an alert was wrong."""

    by: str = ""
    at: str = ""
    """ISO 8601."""
    note: str = ""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Mark:
        return cls(str(item.get("By", "")), str(item.get("At", "")), str(item.get("Note", "")))

    def to_item(self) -> dict[str, str]:
        return {"At": self.at, "By": self.by, **({"Note": self.note} if self.note else {})}


@dataclass(frozen=True)
class StoredAlert:
    """An alert and its mark. What its record does not have is empty."""

    alert_id: str
    rule_id: str
    rule_name: str
    rule_version: int
    status: str
    created_at: str
    """ISO 8601."""
    subject: str
    """The subject of its message; empty before it is sent."""
    key: str
    link: str
    deliveries: Mapping[str, Delivery]
    """By channel id."""
    suppressed_before: int
    suppressed_by: str
    """Of a suppressed alert: the alert or digest that started the cooldown."""
    mark: Mark | None
    rule: MatchedRule | None
    """The rule as it matched; None if it was not read or is damaged."""
    item: Mapping[str, Any] = field(repr=False)
    """The whole record, for --json."""

    @property
    def title(self) -> str:
        """The subject of its message, or the rule and the image of an alert without a message."""
        key = self.key.removeprefix(UPLOADS_PREFIX)
        return self.subject or (f"{self.rule_name} in {key}" if key else self.rule_name)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> StoredAlert:
        return cls(
            str(item.get("AlertId", "")),
            str(item.get("RuleId", "")),
            str(item.get("RuleName", "")),
            int(item.get("RuleVersion", 1)),
            str(item.get("Status", "")),
            str(item.get("CreatedAt", "")),
            str(item.get("Subject", "")),
            str(item.get("Key", "")),
            str(item.get("Link", "")),
            {channel_id: Delivery.from_item(entry) for channel_id, entry in item.get("Deliveries", {}).items()},
            int(item.get("SuppressedBefore", 0)),
            str(item.get("SuppressedBy", "")),
            Mark.from_item(item["NotThis"]) if "NotThis" in item else None,
            _rule(item.get("Rule")),
            item,
        )


def _rule(item: Any) -> MatchedRule | None:
    try:
        return MatchedRule.from_item(item)
    except (AttributeError, KeyError, TypeError, ValueError):  # a damaged rule must not hide its alert
        return None
