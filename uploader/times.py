"""Times as people write them: a length (10m), an age (30d), and a date or time (2027-01-31T08:00)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from imagewatch import timestamps
from imagewatch.timestamps import iso_utc

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(text: str) -> int:
    """A length of time such as 10m, in seconds. 0 is none. Raises ValueError."""
    found = re.fullmatch(r"([1-9]\d{0,4})([smhd])", text)
    if text == "0":
        return 0
    if not found:
        raise ValueError(f"{text!r} is no length of time such as 90s, 10m, 2h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def since(text: str) -> str:
    """An age such as 7d as the time that it reaches back to, or a date or time. ISO 8601, UTC. Raises ValueError."""
    if re.fullmatch(r"[1-9]\d{0,4}[smhd]", text):
        return iso_utc(now() - timedelta(seconds=duration(text)))
    try:
        return moment(text)
    except ValueError:
        raise ValueError(f"{text!r} is no age such as 90m, 12h or 7d, and no date") from None


def moment(text: str) -> str:
    """A date, or a date and time, as ISO 8601 in UTC. Without an offset it is in this machine's time zone. Raises ValueError."""
    try:
        return iso_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        example = "2027-01-31 or 2027-01-31T08:00+01:00"
        raise ValueError(f"{text!r} is no date and time such as {example}") from error


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.fromtimestamp(timestamps.milliseconds() / 1000, UTC)


def minute(iso: str) -> str:
    """ISO 8601 as people read it: 2026-11-20 16:05 UTC."""
    return f"{iso[:16].replace('T', ' ')} UTC"
