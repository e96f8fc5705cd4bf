"""What happened on each day: images, rejections, failures, alerts, and what Rekognition costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagewatch.api.viewer import Viewer
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import alert_list, status_rows
from imagewatch.images import price
from imagewatch.services import image_search


@dataclass(frozen=True)
class Day:
    """The figures of one day."""

    day: str
    images: int
    rejected: int
    failed: int
    alerts: int
    calls: int
    """Calls of Rekognition, if every image that was not rejected was analysed once."""

    @property
    def usd(self) -> float:
        """The price of the calls."""
        return price.usd(self.calls)


def by_day(viewer: Viewer, first: str, last: str) -> Sequence[Day]:
    """Each day between two ISO dates, both included, that has images or alerts, the newest first."""
    images = {day.day: day.images for day in image_search.days(viewer, first, last)}
    rejected, failed = (status_rows.by_day(status, first, last) for status in ("rejected", "failed"))
    alerts = alert_list.by_day(first, last)
    each = price.calls(detects_text=setting("TEXT_DETECTION") == "on")
    return [
        Day(day, images.get(day, 0), rejected[day], failed[day], alerts[day], max(0, images.get(day, 0) - rejected[day]) * each)
        for day in sorted({*images, *rejected, *failed, *alerts}, reverse=True)
    ]
