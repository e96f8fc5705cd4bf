"""Rate limiters in DynamoDB: executions stay under Rekognition's quota, messages under a channel's limit.

Each start takes a slot from one shared item. Slots lie slightly further apart than the rate requires. A start that misses its
slot by more than LATENESS exchanges it for a later one; JOURNEY is the time that a start then needs to reach the service. So no
window of one second holds more starts than the rate. A process that crashes before it uses its slot wastes only that slot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from imagewatch import timestamps
from imagewatch.aws.dynamodb import conditional_update
from imagewatch.aws.settings import setting

LATENESS_MICROSECONDS = 50_000
JOURNEY_MICROSECONDS = 50_000
LONGEST_LEAD = timestamps.SECOND

_CHANNEL_LIMITS = {"slack": 1.0}  # messages a second, below the parameter: Slack's "Rate limits" page


def wait_for_intake_slot(patience: int | None = None) -> bool:
    """True when the next execution may start; False, at once, when no slot lies within `patience` (microseconds; None: no limit).

    All concurrent intakes share the slots.
    """
    spacing = slot_spacing(float(setting("MAX_IMAGES_PER_SECOND")))
    return RateLimiter(setting("INTAKE_RATE_LIMITER_TABLE"), {"Name": "executions"}, spacing).wait_for_slot(patience)


def wait_for_channel_slot(channel_id: str, kind: str, patience: int) -> bool:
    """True when one message may be sent now; False, at once, when no slot lies within `patience` (microseconds).

    SNS disables an e-mail subscription above 10 messages a second; Slack accepts about one a second.
    """
    rate = min(float(setting("MAX_ALERTS_PER_SECOND")), _CHANNEL_LIMITS.get(kind, float("inf")))
    spacing = slot_spacing(rate, "MaxAlertsPerSecond")
    return RateLimiter(setting("CHANNELS_TABLE"), {"ChannelId": channel_id}, spacing).wait_for_slot(patience)


def slot_spacing(per_second: float, parameter: str = "MaxImagesPerSecond") -> int:
    """Microseconds from one slot to the next. Raises ValueError naming the template's parameter when the rate is impossible.

    With every start at most LATENESS + JOURNEY after its slot, one second holds at most (1 s + both) / spacing starts.
    """
    if not 0 < per_second < math.inf:
        raise ValueError(f"{parameter} must be a number above 0, not {per_second:g}.")
    return math.ceil((timestamps.SECOND + LATENESS_MICROSECONDS + JOURNEY_MICROSECONDS) / per_second)


def is_too_late(slot: int, now: int) -> bool:
    """Whether a start at `now` (microseconds) may no longer use its slot."""
    return now - slot > LATENESS_MICROSECONDS


@dataclass(frozen=True)
class RateLimiter:
    """One item whose NextSlot (microseconds since the epoch) advances by `spacing` with each slot that is taken."""

    table: str
    key: Mapping[str, str]
    spacing: int

    def wait_for_slot(self, patience: int | None = None) -> bool:
        """Sleeps until a slot is reached; False, at once, when none lies within `patience` (microseconds; None: no limit).

        Time lost by a missed slot does not count against the patience, which is for the slots that others have taken.
        """
        deadline = None if patience is None else timestamps.now() + patience
        lead, asked = 0, timestamps.now()
        slot = self._take(lead, deadline)
        while slot is not None:
            # Where a write takes longer than a start may be late, only a slot that lies ahead by as much can be used.
            lead = min(max(lead, timestamps.now() - asked), LONGEST_LEAD)
            if (delay := slot - timestamps.now()) > 0:
                timestamps.pause(delay / timestamps.SECOND)
            asked = timestamps.now()
            if not is_too_late(slot, asked):
                return True
            if deadline is not None:
                deadline += asked - slot
            slot = self._postpone(slot, lead) or self._take(lead, deadline)
        return False

    def _take(self, lead: int, deadline: int | None) -> int | None:
        """A free slot in microseconds since the epoch; None when all until the deadline are taken."""
        while True:
            slot = self._advance(timestamps.now() + lead, deadline) or self._restart(timestamps.now() + lead)
            if not isinstance(slot, _Refused):
                return slot
            if deadline is not None and slot.next_slot > deadline:
                return None

    def _advance(self, earliest: int, latest: int | None) -> int | None:
        """Takes the next slot if it is in the future; None if it is in the past, or after `latest`."""
        values = {":spacing": self.spacing, ":earliest": earliest} | ({} if latest is None else {":latest": latest})
        within = "" if latest is None else " AND NextSlot <= :latest"
        next_slot = self._update("SET NextSlot = NextSlot + :spacing", f"NextSlot > :earliest{within}", values)
        return None if isinstance(next_slot, _Refused) else next_slot - self.spacing

    def _restart(self, slot: int) -> int | _Refused:
        """Takes the given time as the slot, when no slot lies ahead of it; refused when one does."""
        condition = "attribute_not_exists(NextSlot) OR NextSlot <= :slot"
        next_slot = self._update("SET NextSlot = :next", condition, {":next": slot + self.spacing, ":slot": slot})
        return next_slot if isinstance(next_slot, _Refused) else slot

    def _postpone(self, missed: int, lead: int) -> int | None:
        """Exchanges a missed slot for a later one, so that it isn't lost; None when others have taken slots after it."""
        slot = timestamps.now() + lead
        values = {":next": slot + self.spacing, ":ours": missed + self.spacing}
        refused = isinstance(self._update("SET NextSlot = :next", "NextSlot = :ours", values), _Refused)
        return None if refused else slot

    def _update(self, update: str, condition: str, values: dict[str, int]) -> int | _Refused:
        written = conditional_update(self.table, self.key, update, condition, values, returns="UPDATED_NEW")
        next_slot = int(written.item.get("NextSlot", 0))
        return next_slot if written.done else _Refused(next_slot)


@dataclass(frozen=True)
class _Refused:
    next_slot: int
