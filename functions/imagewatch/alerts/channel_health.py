"""The health of a channel, and the notice that names unhealthy channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.alerts.channel import FAILING, OK
from imagewatch.text import one_line

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


@dataclass(frozen=True)
class ChannelTest:
    """The outcome of a test message on one channel."""

    channel_id: str
    kind: str
    """Empty when the channel does not exist."""
    is_sent: bool
    answer: str
    """The channel's own id of the message, or why it was not sent."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ChannelTest:
        is_sent = item["Outcome"] == "SENT"
        return cls(str(item["ChannelId"]), str(item.get("Kind", "")), is_sent, str(item["Id" if is_sent else "Reason"]))

    def to_item(self) -> dict[str, str]:
        outcome = {"Outcome": "SENT", "Id": self.answer} if self.is_sent else {"Outcome": "FAILED", "Reason": self.answer}
        return {"ChannelId": self.channel_id, "Kind": self.kind, **outcome}


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


def _what_to_do(health: Health) -> str:
    """An address that is only unreachable need not be replaced."""
    advice = _WHILE_FAILING.get(health.kind) if health.status == FAILING else None
    return (advice or _WHAT_TO_DO.get(health.kind, "Remove it: `imagewatch channels remove {id}`.")).format(id=health.channel_id)
