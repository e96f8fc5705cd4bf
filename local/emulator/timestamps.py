"""Times in the formats that AWS uses."""

from __future__ import annotations

import datetime


def iso(when: datetime.datetime) -> str:
    """ISO 8601 in UTC with milliseconds: 2026-01-31T12:00:00.000Z."""
    return when.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_iso() -> str:
    """The current time in the format of `iso`."""
    return iso(datetime.datetime.now(datetime.UTC))


def epoch_milliseconds(when: datetime.datetime) -> int:
    """Milliseconds since 1970-01-01."""
    return int(when.timestamp() * 1000)
