"""When an image was taken: by its Exif data, else by its file's time, else by its upload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from imagewatch.images.version import ImageVersion
from imagewatch.timestamps import iso_utc

if TYPE_CHECKING:  # it imports Pillow, which few functions need
    from imagewatch.images.exif_time import ExifTime

EXIF, FILE, UPLOAD = "exif", "file", "upload"
FILE_TIME = "mtime"
"""The user metadata in which clients send the time of the file: ISO 8601 with its offset from UTC."""

_EARLIEST = datetime(1826, 1, 1, tzinfo=UTC)  # the year of the first photograph
_LATENESS = timedelta(hours=26)  # a clock that is one day ahead, in the easternmost time zone


def taken_at(image: ImageVersion, record: Mapping[str, Any]) -> str:
    """ISO 8601, UTC, milliseconds. The upload's time where the record doesn't say."""
    return str(record.get("TakenAt") or image.uploaded_at)


def taken_minute(image: ImageVersion, record: Mapping[str, Any]) -> int:
    """The minute of the day, 0 to 1439: at the place, or in UTC where the record doesn't say."""
    return int(record["TakenMinute"]) if "TakenMinute" in record else _minute(taken_at(image, record))


def attributes(image: ImageVersion, exif: ExifTime | None, metadata: Mapping[str, str], now: str) -> dict[str, Any]:
    """The attributes of a record that say when its photo was taken, and by which source.

    A time before photography, or later than `now` (ISO 8601, UTC), is passed over.
    """
    latest = datetime.fromisoformat(now) + _LATENESS
    if exif and _EARLIEST <= exif.moment <= latest:
        return _attributes(exif.moment, EXIF, exif.local, exif.offset)
    file = _file_time(metadata.get(FILE_TIME, ""))
    if file and _EARLIEST <= file <= latest:
        return _attributes(file.astimezone(UTC), FILE, file, file.utcoffset() or None)
    return taken_by_upload(image)


def taken_by_upload(image: ImageVersion) -> dict[str, Any]:
    """The attributes of a record about whose photo nothing else is known."""
    return {"TakenAt": image.uploaded_at, "TakenFrom": UPLOAD, "TakenMinute": _minute(image.uploaded_at)}


def _attributes(moment: datetime, source: str, local: datetime, offset: timedelta | None) -> dict[str, Any]:
    known = {} if offset is None else {"TakenOffset": round(offset.total_seconds()) // 60}
    return {"TakenAt": iso_utc(moment), "TakenFrom": source, "TakenMinute": local.hour * 60 + local.minute, **known}


def _file_time(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written[:40])
        return moment if moment.tzinfo and moment.astimezone(UTC) else None
    except (ValueError, OverflowError):
        return None


def _minute(moment: str) -> int:
    parsed = datetime.fromisoformat(moment)
    return parsed.hour * 60 + parsed.minute
