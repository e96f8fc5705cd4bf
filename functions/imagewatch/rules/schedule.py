"""When a rule may alert: its active hours, by the clock on the wall where the camera hangs, and a snooze."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from imagewatch.rules.fields import Fields
from imagewatch.timestamps import iso_utc

if TYPE_CHECKING:
    from imagewatch.rules.model import Rule

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_WINDOWS = 50


@dataclass(frozen=True)
class Window:
    """From one minute of the day (included) to another (excluded), on the days it begins."""

    days: tuple[str, ...]
    start: int
    end: int
    """Minutes after midnight. At or before `start`, it is meant on the next day: 22:00 to 06:00, or 00:00 to 00:00 (all day)."""

    def contains(self, weekday: int, minute: int) -> bool:
        """Whether that minute of that day (Monday is 0) is in it."""
        today, yesterday = DAYS[weekday] in self.days, DAYS[weekday - 1] in self.days
        if self.start < self.end:
            return today and self.start <= minute < self.end
        return (today and minute >= self.start) or (yesterday and minute < self.end)

    def to_record(self) -> dict[str, Any]:
        return {"Days": list(self.days), "From": _clock(self.start), "To": _clock(self.end)}


@dataclass(frozen=True)
class ActiveHours:
    """Windows of the week in one time zone."""

    time_zone: str
    """IANA name, such as Europe/Berlin."""
    windows: tuple[Window, ...]

    def contains(self, moment: datetime) -> bool:
        """Whether the moment (aware) lies in one of the windows, by what the clock on the wall shows then.

        So a window keeps its times when clocks change: 22:00 to 06:00 lasts 7 hours in one night of spring and 9 in one of
        autumn, and an hour that occurs twice is in it, or out of it, both times.
        """
        there = moment.astimezone(zoneinfo.ZoneInfo(self.time_zone))
        weekday, minute = there.weekday(), there.hour * 60 + there.minute
        return any(window.contains(weekday, minute) for window in self.windows)

    @classmethod
    def from_record(cls, where: str, record: Any) -> ActiveHours:
        """From a rule's ActiveHours. Raises InvalidRule naming the field."""
        fields = Fields(where, record, ("TimeZone", "Windows"), "a TimeZone and Windows")
        zone = _time_zone(fields)
        known = len(fields.problems)
        windows = fields.entries("Windows", MAX_WINDOWS, _window)
        if not windows and len(fields.problems) == known:
            fields.wrong("Windows must have at least one entry; leave out ActiveHours for a rule that is always active.")
        fields.done()
        return cls(zone, windows)

    def to_record(self) -> dict[str, Any]:
        return {"TimeZone": self.time_zone, "Windows": [window.to_record() for window in self.windows]}


def snoozed(rule: Rule, now: datetime) -> bool:
    """Whether the rule is told to be silent at `now` (aware)."""
    return bool(rule.snoozed_until) and iso_utc(now) < rule.snoozed_until


def muted(rule: Rule, uploaded_at: datetime, now: datetime) -> str | None:
    """Why a match of an image uploaded then must not alert anyone now; None when it may.

    A snooze holds for every rule: somebody asked for it. Active hours give way to BypassQuietHours.
    """
    if snoozed(rule, now):
        return f"snoozed until {rule.snoozed_until}"
    if rule.active_hours and not rule.bypass_quiet_hours and not rule.active_hours.contains(uploaded_at):
        return "outside its active hours"
    return None


def _window(where: str, record: Any) -> Window:
    fields = Fields(where, record, ("Days", "From", "To"), "Days, From and To")
    days = fields.texts("Days", _day, f"one of {', '.join(DAYS)}", most=7)
    if "Days" not in fields:
        fields.wrong("Days is missing; it must be a list of days, such as [mon, tue, wed, thu, fri].")
    must = 'a time of day in quotes from "00:00" to "23:59"'
    window = Window(tuple(sorted(days, key=DAYS.index)), fields.take("From", _minute, must), fields.take("To", _minute, must))
    fields.done()
    return window


def _day(value: Any) -> str:
    if value not in DAYS:
        raise ValueError
    return str(value)


def _minute(value: Any) -> int:
    # YAML 1.1 reads 22:00 without quotes as the number 1320, hence the "in quotes" of the message.
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    if not found:
        raise ValueError
    return int(found[1]) * 60 + int(found[2])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _time_zone(fields: Fields) -> str:
    must = "the name of a time zone, such as Europe/Berlin"
    name = fields.take("TimeZone", _name, must)
    if name is None:  # told already
        return ""
    try:
        # A file system that ignores case would take europe/berlin, and the next one would not.
        if not re.fullmatch(r"[A-Z][\w+-]*(/[A-Z][\w+-]*)*", name):
            raise ValueError
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        close = _closest(name, zoneinfo.available_timezones())
        advice = f" Did you mean {close}?" if close else ""
        fields.wrong(f"TimeZone must be {must}, not {name!r}.{advice}")
    return name


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 64:
        raise ValueError
    return value


def _closest(name: str, known: Iterable[str]) -> str | None:
    by_folded = {zone.casefold(): zone for zone in sorted(known)} | {
        zone.rpartition("/")[2].casefold(): zone for zone in sorted(known, reverse=True)
    }
    close = difflib.get_close_matches(name.casefold(), by_folded, 1, cutoff=0.75)
    return by_folded[close[0]] if close else None
