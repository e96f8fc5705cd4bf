"""An alert: one rule that matched one version of one image, and its delivery on each of the rule's channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewatch.alerts.channel import EMAIL
from imagewatch.alerts.cooldown import channels_of
from imagewatch.images.version import ImageVersion, sha256_hex
from imagewatch.rules.matched_rule import Match, MatchedRule

# The status of an alert, and of each of its deliveries.
PENDING = "PENDING"  # not sent yet, or to be retried
QUEUED = "QUEUED"  # waits for a digest
SENT = "SENT"
DIGESTED = "DIGESTED"  # sent as part of a digest
SUPPRESSED = "SUPPRESSED"  # not sent because of a cooldown, and counted
FAILED = "FAILED"
_PRECEDENCE = (PENDING, QUEUED, SENT, DIGESTED, SUPPRESSED, FAILED)


@dataclass(frozen=True)
class Delivery:
    """The outcome of an alert on one channel."""

    status: str
    at: str = ""
    """Since when it has this status: ISO 8601."""
    reason: str = ""
    attempts: int = 0
    message_id: str = ""
    """The channel's own id of the message."""
    digest_id: str = ""
    fallback_for: tuple[str, ...] = ()
    """The failed channels that this one replaces."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Delivery:
        return cls(
            str(item["Status"]),
            str(item.get("At", "")),
            str(item.get("Reason", "")),
            int(item.get("Attempts", 0)),
            str(item.get("MessageId", "")),
            str(item.get("DigestId", "")),
            tuple(item.get("FallbackFor", ())),
        )

    def to_item(self) -> dict[str, Any]:
        optional = {
            "Reason": self.reason,
            "Attempts": self.attempts,
            "MessageId": self.message_id,
            "DigestId": self.digest_id,
            "FallbackFor": list(self.fallback_for),
        }
        return {"Status": self.status, "At": self.at, **{name: value for name, value in optional.items() if value}}


@dataclass
class Alert:
    """The record of an alert in the AlertsTable."""

    alert_id: str
    rule: MatchedRule
    channels: tuple[str, ...]
    image_id: str
    version: str
    bucket: str
    key: str
    source: str
    link: str
    """Where people see the image."""
    created_at: str = ""
    """ISO 8601."""
    status: str = PENDING
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    """Channel id -> delivery. A channel without an entry is PENDING."""
    suppressed_before: int = 0
    """How many suppressed matches the alert's message reported ..."""
    suppressed_since: str = ""
    """... since when (ISO 8601). Empty until a channel has accepted a message that reports them."""
    suppressed_by: str = ""
    """The alert or digest whose cooldown suppressed this alert; empty when it is not suppressed."""
    leased_by: str = ""
    leased_until: int = 0
    """Milliseconds since the epoch."""

    @classmethod
    def of(cls, image: ImageVersion, rule: MatchedRule, link: str) -> Alert:
        """The alert of a rule that matched an image."""
        return cls(
            alert_id(image, rule.rule_id),
            rule,
            channels_of(rule),
            image.image_id,
            image.version,
            image.bucket,
            image.key,
            image.source,
            link,
        )

    @property
    def rule_id(self) -> str:
        return self.rule.rule_id

    @property
    def rule_name(self) -> str:
        return self.rule.name

    @property
    def rule_version(self) -> int:
        return self.rule.version

    @property
    def severity(self) -> str:
        return self.rule.severity

    @property
    def matches(self) -> tuple[Match, ...]:
        """What made the rule match, the highest confidence first."""
        return self.rule.matches

    @property
    def is_sent(self) -> bool:
        """Whether at least one channel accepted a message about this alert alone."""
        return any(delivery.status == SENT for delivery in self.deliveries.values())

    @property
    def fallback_for(self) -> tuple[str, ...]:
        """The failed channels that e-mail replaces."""
        return self.delivery(EMAIL).fallback_for

    def delivery(self, channel_id: str) -> Delivery:
        return self.deliveries.get(channel_id, Delivery(PENDING))

    def add_fallback(self, now: str, status: str = PENDING) -> bool:
        """Adds e-mail as a channel when all channels of the rule have failed and it is none of them; whether it did."""
        if EMAIL in self.channels or {self.delivery(channel_id).status for channel_id in self.channels} != {FAILED}:
            return False
        self.deliveries[EMAIL] = Delivery(status, now, fallback_for=self.channels)
        self.channels = (*self.channels, EMAIL)
        return True

    def status_by_deliveries(self) -> str:
        """The status of the whole alert: what is still to be done comes first, then the best outcome."""
        found = {self.delivery(channel_id).status for channel_id in self.channels}
        return next(status for status in _PRECEDENCE if status in found)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Alert:
        return cls(
            item["AlertId"],
            MatchedRule.from_item(item["Rule"]),
            tuple(item["Channels"]),
            item["ImageId"],
            item["Version"],
            item["Bucket"],
            item["Key"],
            item["Source"],
            item["Link"],
            item["CreatedAt"],
            item["Status"],
            {channel_id: Delivery.from_item(delivery) for channel_id, delivery in item["Deliveries"].items()},
            int(item.get("SuppressedBefore", 0)),
            str(item.get("SuppressedSince", "")),
            str(item.get("SuppressedBy", "")),
            str(item.get("LeasedBy", "")),
            int(item.get("LeasedUntil", 0)),
        )

    def to_item(self) -> dict[str, Any]:
        """What is written when the alert is created: the rule as it matched, and what digests and lists show of the image."""
        return {
            "AlertId": self.alert_id,
            "RuleId": self.rule_id,
            "RuleName": self.rule_name,
            "RuleVersion": self.rule_version,
            "Rule": self.rule.to_item(),
            "Severity": self.severity,
            "ImageId": self.image_id,
            "Version": self.version,
            "Bucket": self.bucket,
            "Key": self.key,
            "Source": self.source,
            "Link": self.link,
            "CreatedAt": self.created_at,
            "Status": self.status,
            **self.deliveries_item(),
        }

    def deliveries_item(self) -> dict[str, Any]:
        """The channels, the deliveries, and what their messages reported."""
        deliveries = {channel_id: delivery.to_item() for channel_id, delivery in self.deliveries.items()}
        reported = {"SuppressedBefore": self.suppressed_before, "SuppressedSince": self.suppressed_since}
        return {
            "Channels": list(self.channels),
            "Deliveries": deliveries,
            **(reported if self.suppressed_since else {}),
            **({"SuppressedBy": self.suppressed_by} if self.suppressed_by else {}),
        }


def alert_id(image: ImageVersion, rule_id: str) -> str:
    """The id of the one alert of this rule and this version of the image: 32 hexadecimal digits."""
    return sha256_hex(rule_id, image.image_id, image.version)[:32]
