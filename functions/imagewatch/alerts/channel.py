"""A channel as it is recorded, its health, and the notice that names unhealthy channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.text import one_line

EMAIL = "email"
"""The id of the channel that exists without a record, and its kind."""

OK = "ok"
UNCHECKED = "unchecked"
"""The status of a channel until its first check or test after it was added or enabled."""
UNCONFIRMED = "unconfirmed"
DISABLED = "disabled"
FAILING = "failing"

_WHAT_TO_DO = {
    "email": "Subscribe and confirm an address, or stop using e-mail: `imagewatch channels disable {id}`.",
    "slack": "Create a new incoming webhook in Slack and store it: `imagewatch channels add {id} --kind slack`.",
    "webhook": "Correct the address (`imagewatch channels add {id} --kind webhook --url ...`), or enable the channel once the"
    " address answers (`imagewatch channels enable {id}`).",
}
_WHILE_FAILING = {
    "slack": "Alerts still use it. A failure of Slack itself (https://slack-status.com) ends without any action. If the reason"
    " names the address or its secret, store it again: `imagewatch channels add {id} --kind slack`.",
    "webhook": "Alerts still use it. Check that the receiver runs and answers with status 200. If the receiver has moved,"
    " correct the address (`imagewatch channels add {id} --kind webhook --url ...`).",
}


@dataclass(frozen=True)
class ChannelRecord:
    """A channel in the ChannelsTable. Its rate limiter keeps NextSlot in the same item."""

    channel_id: str
    kind: str = ""
    enabled: bool = True
    """False when its owner has disabled it."""
    status: str = OK
    status_reason: str = ""
    url: str = ""
    secret_parameter: str = ""
    """The name of the SSM parameter that holds the webhook's address (Slack) or key."""
    updated_at: str | None = None
    """When its owner last changed it: ISO 8601."""
    paused_until: float = 0.0
    """Seconds since the epoch."""
    report_pending: bool = False
    """True from the moment at which an answer disabled the channel until that is reported."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ChannelRecord:
        channel_id = str(item["ChannelId"])
        return cls(
            channel_id,
            str(item.get("Kind", EMAIL if channel_id == EMAIL else "")),
            item.get("Enabled") is not False,
            str(item.get("Status", OK)),
            str(item.get("StatusReason", "")),
            str(item.get("Url", "")),
            str(item.get("SecretParameter", "")),
            item.get("UpdatedAt"),
            _number(item.get("PausedUntil")),
            bool(item.get("ReportPending")),
        )

    def address_item(self) -> dict[str, str | None]:
        """The attributes that say where its messages go. None stands for an attribute that is absent."""
        return {"Url": self.url or None, "SecretParameter": self.secret_parameter or None, "UpdatedAt": self.updated_at}


@dataclass(frozen=True)
class Health:
    """The result of a check of one channel."""

    channel_id: str
    kind: str
    status: str
    """OK, UNCONFIRMED (no address is confirmed), DISABLED (its address no longer exists) or FAILING."""
    reason: str

    @property
    def is_dead(self) -> bool:
        """Whether alerts through this channel reach no one."""
        return self.status != OK


def notice(dead: Sequence[Health]) -> tuple[str, str]:
    """(subject, body) of the message that reports dead channels. It is sent through other channels."""
    names = ", ".join(health.channel_id for health in dead)
    subject = f"Imagewatch: alerts through {names} reach no one" if len(names) <= 50 else "Imagewatch: several channels are dead"
    lines = ["Alerts that rules send through these channels reach no one:", ""]
    for health in dead:
        lines += [
            f"  {health.channel_id} ({health.kind}): {health.status}",
            f"    {one_line(health.reason)}",
            f"    {_what_to_do(health)}",
            "",
        ]
    lines.append("Then test it: `imagewatch alerts test`. This check runs once a day; docs/channels.md explains it.")
    return subject, "\n".join(lines)


def _number(value: Any) -> float:
    """0 for anything else: a damaged record must not stop other channels."""
    return float(value) if isinstance(value, int | float) else 0.0


def _what_to_do(health: Health) -> str:
    """An address that is only unreachable need not be replaced."""
    advice = _WHILE_FAILING.get(health.kind) if health.status == FAILING else None
    return (advice or _WHAT_TO_DO.get(health.kind, "Remove it: `imagewatch channels remove {id}`.")).format(id=health.channel_id)
