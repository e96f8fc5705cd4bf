"""How the channels fare, and what people are told when one of them is dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagewatch.text import one_line

OK = "ok"
UNCHECKED = "unchecked"
"""What a channel's record says until the first check or test since it was added or switched on; no check finds it."""
PENDING = "pending"
DISABLED = "disabled"
FAILING = "failing"

_WHAT_TO_DO = {
    "email": "Subscribe and confirm an address, or do without e-mail: `imagewatch channels disable {id}`.",
    "slack": "Make a new incoming webhook in Slack and store it: `imagewatch channels add {id} --kind slack`.",
    "webhook": "Put the address right (`imagewatch channels add {id} --kind webhook --url ...`), or switch it on again once it"
    " answers (`imagewatch channels enable {id}`).",
}
_WHILE_FAILING = {
    "slack": "Alerts still try it, and a failure of Slack's (https://slack-status.com) mends itself. If the reason speaks of the"
    " address or its secret, store it again: `imagewatch channels add {id} --kind slack`.",
    "webhook": "Alerts still try it: see that what listens there is up and answers with 200. If it listens elsewhere, put the"
    " address right (`imagewatch channels add {id} --kind webhook --url ...`).",
}


@dataclass(frozen=True)
class Health:
    """What a check found out about one channel."""

    channel_id: str
    kind: str
    status: str
    """OK, PENDING (nobody has confirmed), DISABLED (its address is gone) or FAILING."""
    reason: str

    @property
    def is_dead(self) -> bool:
        """Nobody gets the alerts that go this way."""
        return self.status != OK


def notice(dead: Sequence[Health]) -> tuple[str, str]:
    """(subject, body) of the message that tells of dead channels; it leaves through others."""
    names = ", ".join(health.channel_id for health in dead)
    subject = f"Imagewatch: alerts through {names} reach nobody" if len(names) <= 50 else "Imagewatch: several channels are dead"
    lines = ["Alerts that rules send through these channels reach nobody:", ""]
    for health in dead:
        lines += [
            f"  {health.channel_id} ({health.kind}): {health.status}",
            f"    {one_line(health.reason)}",
            f"    {_what_to_do(health)}",
            "",
        ]
    lines.append("Then try it: `imagewatch alerts test`. This check runs once a day; docs/channels.md says more.")
    return subject, "\n".join(lines)


def _what_to_do(health: Health) -> str:
    """What is only out of reach needn't be made anew."""
    advice = _WHILE_FAILING.get(health.kind) if health.status == FAILING else None
    return (advice or _WHAT_TO_DO.get(health.kind, "Remove it: `imagewatch channels remove {id}`.")).format(id=health.channel_id)
