"""Times as people write them: how long (10m), how long ago (30d), and when (2027-01-31T08:00)."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from imagewatch.timestamps import iso_utc

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(text: str) -> int:
    """An argparse type: a length of time such as 10m, in seconds; 0 is none at all."""
    found = re.fullmatch(r"([1-9]\d{0,4})([smhd])", text)
    if text == "0":
        return 0
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time such as 90s, 10m, 2h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def since(text: str) -> str:
    """An argparse type: an age such as 7d as the moment that it reaches back to, or that moment itself; ISO 8601, UTC."""
    if re.fullmatch(r"[1-9]\d{0,4}[smhd]", text):
        return iso_utc(now() - timedelta(seconds=duration(text)))
    try:
        return moment(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is no age such as 90m, 12h or 7d, and no date") from None


def moment(text: str) -> str:
    """An argparse type: a date, or a date and time, as ISO 8601 in UTC. Without an offset it is meant on this machine's clock."""
    try:
        return iso_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        example = "2027-01-31 or 2027-01-31T08:00+01:00"
        raise argparse.ArgumentTypeError(f"{text!r} is no date and time such as {example}") from error


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def minute(iso: str) -> str:
    """ISO 8601 as people read it: 2026-11-20 16:05 UTC."""
    return f"{iso[:16].replace('T', ' ')} UTC"
