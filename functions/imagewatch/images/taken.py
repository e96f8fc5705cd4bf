"""When an image was taken: by its Exif data, else by its file's time, else by its upload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imagewatch.images.version import ImageVersion


def taken_at(image: ImageVersion, record: Mapping[str, Any]) -> str:
    """ISO 8601, UTC, milliseconds. The upload's time where the record doesn't say."""
    return str(record.get("TakenAt") or image.uploaded_at)


def taken_minute(image: ImageVersion, record: Mapping[str, Any]) -> int:
    """The minute of the day, 0 to 1439: at the place, or in UTC where the record doesn't say."""
    if "TakenMinute" in record:
        return int(record["TakenMinute"])
    moment = datetime.fromisoformat(taken_at(image, record))
    return moment.hour * 60 + moment.minute
