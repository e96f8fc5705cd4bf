"""Times as AWS writes them."""

from __future__ import annotations

import datetime


def iso(when: datetime.datetime) -> str:
    """ISO 8601, UTC, milliseconds, Z."""
    return when.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_iso() -> str:
    return iso(datetime.datetime.now(datetime.UTC))


def milliseconds(when: datetime.datetime) -> int:
    """Since the epoch."""
    return int(when.timestamp() * 1000)
