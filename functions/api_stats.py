"""Api Stats: shows images, rejections, alerts and cost by day, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from imagewatch.api import stats as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.request import Request
from imagewatch.observability import logs_invocation
from imagewatch.services import statistics
from imagewatch.services.statistics import Day


def show(request: Request) -> dict[str, Any]:
    """The figures of each day, and their totals."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=request.query["days"] - 1)
    days = statistics.by_day(request.viewer, first.isoformat(), today.isoformat())
    return {"Days": [{"Day": day.day, **_figures([day])} for day in days], "Total": _figures(days)}


API = Api({declared.LIST_STATS: show})


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)


def _figures(days: Sequence[Day]) -> dict[str, Any]:
    return {
        "Images": sum(day.images for day in days),
        "Rejected": sum(day.rejected for day in days),
        "Failed": sum(day.failed for day in days),
        "Alerts": sum(day.alerts for day in days),
        "RekognitionCalls": sum(day.calls for day in days),
        "PriceUsd": round(sum(day.usd for day in days), 6),
    }
