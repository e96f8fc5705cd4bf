"""A digest: one message on one channel about many alerts, and about matches that cooldowns have suppressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.alerts.alert import PENDING
from imagewatch.alerts.cooldown import CooldownLease, Suppressed

_ID_BYTES = 16


@dataclass(frozen=True)
class SuppressedCount:
    """How many matches of a rule a cooldown has suppressed, as a digest reports it."""

    rule_id: str
    rule_name: str
    suppressed: Suppressed
    fallback_for: tuple[str, ...] = ()
    """The rule's channels, if none of them accepted the count and it is reported by e-mail instead."""


@dataclass(frozen=True)
class ReportedCooldown:
    """A cooldown whose count a sent digest has reported."""

    cooldown_id: str
    count: int
    seconds: int
    starts: bool
    """Whether the digest contains an alert of the cooldown's scope, so that the cooldown starts."""

    @classmethod
    def of(cls, lease: CooldownLease, starts: bool) -> ReportedCooldown:
        return cls(lease.scope.cooldown_id, lease.unreported.count, lease.scope.seconds, starts)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ReportedCooldown:
        return cls(item["CooldownId"], int(item["Count"]), int(item["Seconds"]), bool(item["Starts"]))

    def to_item(self) -> dict[str, Any]:
        return {"CooldownId": self.cooldown_id, "Count": self.count, "Seconds": self.seconds, "Starts": self.starts}


@dataclass(frozen=True)
class Digest:
    """The record of a digest, in the AlertsTable."""

    digest_id: str
    channel_id: str
    member_ids: tuple[str, ...]
    """The ids of its alerts."""
    created_at: str
    """ISO 8601."""
    status: str = PENDING
    reason: str = ""
    sent_at: str = ""
    message_id: str = ""
    subject: str = ""
    suppressed: int = 0
    """How many suppressed matches it reported."""
    reported: Sequence[ReportedCooldown] = ()

    @property
    def record_id(self) -> str:
        """Its key in the AlertsTable."""
        return f"digest#{self.digest_id}"

    @property
    def count(self) -> int:
        """How many alerts it is about."""
        return len(self.member_ids)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Digest:
        packed = bytes(item["Members"])
        return cls(
            item["DigestId"],
            item["Channel"],
            tuple(packed[start : start + _ID_BYTES].hex() for start in range(0, len(packed), _ID_BYTES)),
            item["CreatedAt"],
            item["Status"],
            str(item.get("Reason", "")),
            str(item.get("SentAt", "")),
            str(item.get("MessageId", "")),
            str(item.get("Subject", "")),
            int(item.get("Suppressed", 0)),
            tuple(ReportedCooldown.from_item(reported) for reported in item.get("Reported", [])),
        )

    def to_item(self) -> dict[str, Any]:
        """All attributes but those that are empty. The key is `record_id`."""
        optional = {
            "Reason": self.reason,
            "SentAt": self.sent_at,
            "MessageId": self.message_id,
            "Subject": self.subject,
        }
        sent = {"Suppressed": self.suppressed, "Reported": [reported.to_item() for reported in self.reported]}
        return {
            "DigestId": self.digest_id,
            "Channel": self.channel_id,
            "Count": self.count,
            "Members": b"".join(bytes.fromhex(member_id) for member_id in self.member_ids),
            "CreatedAt": self.created_at,
            "Status": self.status,
            **{name: value for name, value in optional.items() if value},
            **(sent if self.sent_at else {}),
        }
