"""The IntakePaceTable: the one clock from which every concurrent intake takes its slots."""

from __future__ import annotations

from imagewatch.aws.clock import SharedClock
from imagewatch.aws.environment import setting
from imagewatch.pacing import slot_spacing


def wait_for_slot() -> None:
    """Returns when the next execution may start. Slots are shared by all concurrent intakes, and survive their crashes."""
    spacing = slot_spacing(float(setting("MAX_IMAGES_PER_SECOND")))
    SharedClock(setting("INTAKE_PACE_TABLE"), {"Name": "executions"}, spacing).wait_for_slot()
