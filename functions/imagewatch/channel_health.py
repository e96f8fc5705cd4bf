"""How the channels fare, and what people are told when one of them is dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagewatch.alerts import one_line

OK = "ok"
PENDING = "pending"
DISABLED = "disabled"
FAILING = "failing"

_WHAT_TO_DO = {
    "sns": "Subscribe and confirm an address, or do without e-mail: `imagewatch channels disable {id}`.",
    "slack": "Make a new incoming webhook in Slack and store it: `imagewatch channels add {id} --kind slack`.",
    "webhook": "Put the address right (`imagewatch channels add {id} --kind webhook --url ...`), or switch it on again once it"
    " answers (`imagewatch channels enable {id}`).",
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
            f"    {_WHAT_TO_DO.get(health.kind, 'Remove it: `imagewatch channels remove {id}`.').format(id=health.channel_id)}",
            "",
        ]
    lines.append("Then try it: `imagewatch alerts test`. This check runs once a day; docs/channels.md says more.")
    return subject, "\n".join(lines)
