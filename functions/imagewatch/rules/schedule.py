"""When a rule may alert: its active hours in a time zone, and its snooze."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from imagewatch.rules.fields import (
    Declaration,
    Field,
    FieldReader,
    Place,
    Refused,
    choice,
    defined,
    entries,
    scalar,
    texts,
)
from imagewatch.timestamps import iso_utc

if TYPE_CHECKING:
    from imagewatch.rules.model import Rule

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_WINDOWS = 50
_MAX_ZONE_NAME = 64

_FIXED_OFFSET = re.compile(r"UTC([+-])(0[0-9]|1[0-4]):([0-5][0-9])")
_ZONE_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*")
# A name such as Etc/GMT+2 means UTC-2 (POSIX counts west of Greenwich), and few people who write it know that.
_REVERSED_OFFSET = re.compile(r"Etc/GMT([+-])([1-9][0-9]?)")
_WRITTEN_OFFSET = re.compile(r"(?:GMT|UTC)?\s*([+-])([0-9]{1,2})(?::?([0-5][0-9]))?", re.IGNORECASE)


def _minute(value: Any) -> int:
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    if not found:
        raise ValueError
    return int(found[1]) * 60 + int(found[2])


# Readers of YAML 1.1 read 22:00 without quotes as the number 1320; the message therefore asks for quotes.
_TIME = defined(
    "time",
    scalar(
        _minute,
        'a time of day in quotes from "00:00" to "23:59"',
        {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    ),
)


class WindowFields:
    """The fields of a window."""

    DAYS = Field("Days", texts(choice(*DAYS), 7), "The days on which the window begins.", (), required=True)
    FROM = Field("From", _TIME, "When it begins.", required=True)
    TO = Field("To", _TIME, "When it ends. At or before `From`, it ends on the next day.", required=True)


WINDOW = Declaration("Days, From and To", (WindowFields.DAYS, WindowFields.FROM, WindowFields.TO))


_A_WINDOW = Place(label="A window")


@dataclass(frozen=True)
class ActiveWindow:
    """From one minute of the day (included) to another (excluded), on the days on which it begins."""

    days: tuple[str, ...]
    start: int
    """Minutes after midnight."""
    end: int
    """Minutes after midnight. At or before `start`, it is on the next day: 22:00 to 06:00, or 00:00 to 00:00 (all day)."""

    def contains(self, weekday: int, minute: int) -> bool:
        """Whether this minute of this day (Monday is 0) is in the window."""
        today, yesterday = DAYS[weekday] in self.days, DAYS[weekday - 1] in self.days
        if self.start < self.end:
            return today and self.start <= minute < self.end
        return (today and minute >= self.start) or (yesterday and minute < self.end)

    @classmethod
    def from_item(cls, item: Any, place: Place = _A_WINDOW) -> ActiveWindow:
        """Raises InvalidRule with every mistake."""
        fields = FieldReader(place, item, WINDOW)
        days = fields.take(WindowFields.DAYS)
        window = cls(tuple(sorted(days, key=DAYS.index)), fields.take(WindowFields.FROM), fields.take(WindowFields.TO))
        fields.finish()
        return window

    def to_item(self) -> dict[str, Any]:
        return {"Days": list(self.days), "From": _time(self.start), "To": _time(self.end)}


def zone_of(name: str) -> tzinfo:
    """The time zone of this name: an IANA name, or a fixed offset such as UTC+02:00. Raises ValueError."""
    fixed = _FIXED_OFFSET.fullmatch(name)
    if fixed:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-offset if fixed[1] == "-" else offset, name)
    # A file system that ignores case would find europe/berlin, and the next one would not.
    if len(name) > _MAX_ZONE_NAME or not _ZONE_NAME.fullmatch(name) or _REVERSED_OFFSET.fullmatch(name):
        raise ValueError(name)
    import zoneinfo  # only rules with active hours need it

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(name) from error


def _zone_name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - what every kind raises
    try:
        zone_of(value)
    except ValueError:
        raise Refused(advice) if (advice := _zone_advice(value)) else ValueError() from None
    return value


def _zone_advice(name: str) -> str:
    """What a wrong name probably means; empty when that can't be said."""
    is_reversed, written = _REVERSED_OFFSET.fullmatch(name), _WRITTEN_OFFSET.fullmatch(name.strip())
    if is_reversed:
        there, opposite = "-+" if is_reversed[1] == "+" else "+-"
        offset = f"{int(is_reversed[2]):02}:00"
        meant = f"UTC{there}{offset}"
        return f"The sign of this name is reversed: it means {meant}. Write {meant} or UTC{opposite}{offset}."
    if written:
        offset = f"UTC{written[1]}{int(written[2]):02}:{written[3] or '00'}"
        return f"Did you mean {offset}?" if _FIXED_OFFSET.fullmatch(offset) else ""
    close = _closest_zone(name)
    return f"Did you mean {close}?" if close else ""


def _closest_zone(name: str) -> str | None:
    import difflib  # only wrong names need these
    import zoneinfo

    # GMT+2 is close to GMT+0 and to the reversed Etc/GMT+2, and means neither.
    known = sorted(zone for zone in zoneinfo.available_timezones() if not re.search(r"GMT[+-]?[0-9]", zone))
    by_folded = {zone.casefold(): zone for zone in known} | {zone.rpartition("/")[2].casefold(): zone for zone in reversed(known)}
    close = difflib.get_close_matches(name.casefold(), by_folded, 1, cutoff=0.75)
    return by_folded[close[0]] if close else None


class ActiveHoursFields:
    """The fields of active hours."""

    TIME_ZONE = Field(
        "TimeZone",
        scalar(
            _zone_name,
            "the name of a time zone, such as Europe/Berlin",
            {
                "type": "string",
                "maxLength": _MAX_ZONE_NAME,
                "pattern": f"^({_ZONE_NAME.pattern}|{_FIXED_OFFSET.pattern})$",
                "not": {"pattern": f"^{_REVERSED_OFFSET.pattern}$"},
            },
        ),
        "IANA name, such as Europe/Berlin, or a fixed offset, such as UTC+02:00.",
        "",
        required=True,
    )
    WINDOWS = Field(
        "Windows",
        entries(ActiveWindow.from_item, "window", WINDOW, MAX_WINDOWS, least=1),
        "The times of the week.",
        (),
        required=True,
    )


ACTIVE_HOURS = Declaration("a TimeZone and Windows", (ActiveHoursFields.TIME_ZONE, ActiveHoursFields.WINDOWS))


_ACTIVE_HOURS = Place(label="ActiveHours")


@dataclass(frozen=True)
class ActiveHours:
    """Windows of the week in one time zone."""

    time_zone: str
    """A name that `zone_of` takes, such as Europe/Berlin."""
    windows: tuple[ActiveWindow, ...]

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.time_zone)

    def contains(self, moment: datetime) -> bool:
        """Whether the moment (aware) is in one of the windows, by local time.

        So a window keeps its times when clocks change: 22:00 to 06:00 lasts 7 hours in one night of spring and 9 in one of
        autumn, and an hour that occurs twice is inside, or outside, both times.
        """
        local = moment.astimezone(self.zone)
        weekday, minute = local.weekday(), local.hour * 60 + local.minute
        return any(window.contains(weekday, minute) for window in self.windows)

    @classmethod
    def from_item(cls, item: Any, place: Place = _ACTIVE_HOURS) -> ActiveHours:
        """Raises InvalidRule with every mistake."""
        fields = FieldReader(place, item, ACTIVE_HOURS)
        zone = fields.take(ActiveHoursFields.TIME_ZONE)
        known = len(fields.problems)
        windows = fields.take(ActiveHoursFields.WINDOWS)
        if not windows and len(fields.problems) == known and "Windows" not in fields.misspelt:
            text = "Windows must have at least one entry; leave out ActiveHours for a rule that is always active."
            fields.note(text, "Windows")
        fields.finish()
        return cls(zone, windows)

    def to_item(self) -> dict[str, Any]:
        return {"TimeZone": self.time_zone, "Windows": [window.to_item() for window in self.windows]}


def is_snoozed(rule: Rule, now: datetime) -> bool:
    """Whether the rule is snoozed at `now` (aware)."""
    return bool(rule.snoozed_until) and iso_utc(now) < rule.snoozed_until


def mute_reason(rule: Rule, uploaded_at: datetime, now: datetime) -> str | None:
    """Why a match of an image uploaded at that time must not alert now; None when it may.

    A snooze mutes every rule, because a person asked for it. BypassQuietHours overrides active hours only.
    """
    if is_snoozed(rule, now):
        return f"snoozed until {rule.snoozed_until}"
    if rule.active_hours and not rule.bypass_quiet_hours and not rule.active_hours.contains(uploaded_at):
        return "outside its active hours"
    return None


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
