"""The time at which a photo was taken, from its Exif data.

Source: Exif 2.32 (CIPA DC-008): DateTimeOriginal, SubSecTimeOriginal, OffsetTimeOriginal. Any value can be missing, damaged or
invented, so everything that isn't a plausible time counts as missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import Image

from imagewatch.images.metadata import UNREADABLE

_EXIF_DIRECTORY = 0x8769
_DATE_TIME_ORIGINAL, _SUBSECONDS, _OFFSET = 0x9003, 0x9291, 0x9011
_DATE_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET_FORM = re.compile(r"([+-])(\d\d):?(\d\d)")
_LARGEST_OFFSET = timedelta(hours=14)


@dataclass(frozen=True)
class ExifTime:
    """When a photo was taken, as its camera wrote it."""

    local: datetime
    """At the place, without a time zone."""
    offset: timedelta | None
    """From UTC; None where the camera didn't write it."""

    @property
    def moment(self) -> datetime:
        """In UTC. Without an offset, the camera's time is taken as UTC: it may be wrong by hours, and the order of one camera's
        photos is right."""
        return self.local.replace(tzinfo=timezone(self.offset or timedelta())).astimezone(UTC)


def of(image: Image.Image) -> ExifTime | None:
    """The time of an opened image; None where it has none that makes sense."""
    try:
        directory = image.getexif().get_ifd(_EXIF_DIRECTORY)
        return parse(directory.get(_DATE_TIME_ORIGINAL), directory.get(_SUBSECONDS), directory.get(_OFFSET))
    except UNREADABLE:
        return None


def parse(date_time: Any, subseconds: Any = None, offset: Any = None) -> ExifTime | None:
    """The time that these values of Exif mean, of whatever type; None for no time: "0000:00:00 00:00:00", blanks, other types."""
    match = _DATE_TIME.fullmatch(_text(date_time))
    if not match:
        return None
    fraction = re.match(r"\d{1,6}", _text(subseconds))
    microsecond = int(fraction[0].ljust(6, "0")) if fraction else 0
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        local = datetime(year, month, day, hour, minute, second, microsecond)
        found = ExifTime(local, _parsed_offset(_text(offset)))
        return found if found.moment else None
    except (ValueError, OverflowError):
        return None


def _parsed_offset(text: str) -> timedelta | None:
    match = _OFFSET_FORM.fullmatch(text)
    if text == "Z":
        return timedelta()
    if not match or int(match[3]) > 59:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3])) * (-1 if match[1] == "-" else 1)
    return offset if abs(offset) <= _LARGEST_OFFSET else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip(" \0\t\r\n") if isinstance(value, str) else ""
