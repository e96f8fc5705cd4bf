"""When an image was taken: by its Exif data, else by its file's time, else by its upload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imagewatch.images.version import ImageVersion

EXIF, FILE, UPLOAD = "exif", "file", "upload"


def taken_at(image: ImageVersion, record: Mapping[str, Any]) -> str:
    """ISO 8601, UTC, milliseconds. The upload's time where the record doesn't say."""
    return str(record.get("TakenAt") or image.uploaded_at)


def taken_minute(image: ImageVersion, record: Mapping[str, Any]) -> int:
    """The minute of the day, 0 to 1439: at the place, or in UTC where the record doesn't say."""
    return int(record["TakenMinute"]) if "TakenMinute" in record else _minute(taken_at(image, record))


def taken_by_upload(image: ImageVersion) -> dict[str, Any]:
    """The attributes of a record about whose photo nothing else is known."""
    return {"TakenAt": image.uploaded_at, "TakenFrom": UPLOAD, "TakenMinute": _minute(image.uploaded_at)}


def _minute(moment: str) -> int:
    parsed = datetime.fromisoformat(moment)
    return parsed.hour * 60 + parsed.minute
