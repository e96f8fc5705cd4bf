"""How fast a channel may be used: each channel's record holds a clock, from which everyone who sends takes a slot.

SNS switches an e-mail subscription off above 10 messages a second, and Slack takes about one a second.
"""

from __future__ import annotations

from imagewatch.aws.clock import SharedClock
from imagewatch.aws.environment import setting
from imagewatch.pacing import slot_spacing

_SLOWER = {"slack": 1.0}  # messages a second, whatever the parameter allows: Slack's "Rate limits" page


def wait_for_slot(channel_id: str, kind: str, patience: int) -> bool:
    """Returns True when one message may be sent now; False, at once, when no slot lies within `patience` (microseconds)."""
    rate = min(float(setting("MAX_ALERTS_PER_SECOND")), _SLOWER.get(kind, float("inf")))
    spacing = slot_spacing(rate, "MaxAlertsPerSecond")
    return SharedClock(setting("CHANNELS_TABLE"), {"ChannelId": channel_id}, spacing).wait_for_slot(patience)
