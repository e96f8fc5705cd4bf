"""How starts are spread over time: executions under Rekognition's quota, messages under a channel's limit.

Each start takes a slot from one shared clock. Slots lie a little further apart than the rate asks for, and a start that misses
its slot by more than LATENESS exchanges it for another; JOURNEY is what the start then takes to reach Step Functions. So no
window of one second holds more starts than the rate.
"""

from __future__ import annotations

import math

LATENESS_MICROSECONDS = 50_000
JOURNEY_MICROSECONDS = 50_000
_SECOND = 1_000_000


def slot_spacing(per_second: float, parameter: str = "MaxImagesPerSecond") -> int:
    """Microseconds from one slot to the next. Raises ValueError naming the template's parameter when there is no such rate.

    With every start at most LATENESS + JOURNEY after its slot, one second holds at most (1 s + both) / spacing starts.
    """
    if not 0 < per_second < math.inf:
        raise ValueError(f"{parameter} must be a number above 0, not {per_second:g}.")
    return math.ceil((_SECOND + LATENESS_MICROSECONDS + JOURNEY_MICROSECONDS) / per_second)


def is_too_late(slot: int, now: int) -> bool:
    """Whether a start at `now` (microseconds) may no longer use its slot."""
    return now - slot > LATENESS_MICROSECONDS
