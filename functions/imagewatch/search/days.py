"""Days at the place where an image was taken, and the moments between which they lie."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from imagewatch.search.query import And, Node, Taken
from imagewatch.timestamps import iso_utc

_DAY = 1440  # minutes
_EASTERNMOST = 780
"""The largest offset from UTC in minutes that a moment and a minute of the day can stand for; the smallest is a day less."""
_BEFORE, _AFTER = timedelta(hours=14), timedelta(hours=12)
"""A day begins up to 14 hours earlier, and ends up to 12 hours later, somewhere on Earth than in UTC."""
_FIRST_DAY, _LAST_DAY = date(1, 1, 2), date(9999, 12, 30)  # the range of datetime, less what the offsets need


def local_day(taken_at: str, minute_of_day: int) -> str:
    """The day (ISO date) at the place, from the moment (ISO 8601, UTC) and the minute of the day there.

    Their difference is the offset from UTC, up to whole days: it is taken as more than -11 and at most +13 hours, the offsets of
    nearly all inhabited places.
    """
    moment = datetime.fromisoformat(taken_at)
    offset = (minute_of_day - moment.hour * 60 - moment.minute) % _DAY
    try:
        return (moment + timedelta(minutes=offset if offset <= _EASTERNMOST else offset - _DAY)).date().isoformat()
    except OverflowError:  # at the ends of the calendar
        return moment.date().isoformat()


def within_days(taken: Taken, day: str) -> bool:
    """Whether a day (ISO date) is one of those."""
    return (not taken.first or taken.first <= day) and (not taken.last or day <= taken.last)


def bounds(node: Node | None) -> tuple[str, str]:
    """The moments (ISO 8601, UTC) between which every match lies: the first included, the second not; empty where open.

    They are wider than the days of the query by the offsets from UTC that a place can have.
    """
    days = [part for part in (node.parts if isinstance(node, And) else (node,)) if isinstance(part, Taken)]
    first = max((part.first for part in days), default="")
    last = min((part.last for part in days if part.last), default="")
    return (
        iso_utc(_midnight(first) - _BEFORE) if first else "",
        iso_utc(_midnight(last) + timedelta(days=1) + _AFTER) if last else "",
    )


def _midnight(day: str) -> datetime:
    """The beginning of the day in UTC. Days at the ends of the calendar are moved inward, so that an offset can be added."""
    return datetime.combine(min(max(date.fromisoformat(day), _FIRST_DAY), _LAST_DAY), datetime.min.time(), UTC)
