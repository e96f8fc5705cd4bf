"""Points in time: how records write them, and the system clock behind one interface that tests can replace."""

from __future__ import annotations

import time
from datetime import UTC, datetime

SECOND = 1_000_000
"""Microseconds."""


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def milliseconds() -> int:
    """Milliseconds since the epoch."""
    return now() // 1000


def pause(seconds: float) -> None:
    """Sleeps for this many seconds."""
    time.sleep(seconds)


def iso_utc(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z. Such strings sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_now() -> str:
    """The current time in the form of `iso_utc`."""
    return iso(milliseconds())


def iso(moment: int) -> str:
    """Milliseconds since the epoch in the form of `iso_utc`."""
    return iso_utc(datetime.fromtimestamp(moment / 1000, UTC))


def moment(written: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 timestamp."""
    return round(datetime.fromisoformat(written).timestamp() * 1000)
