"""Statistics: the operation of /stats."""

from __future__ import annotations

from imagewatch.api import parameters
from imagewatch.api.operation import Answer, Operation, Parameter
from imagewatch.api.schemas import COUNT, DAY, a_list, described, mapping

_FIGURES = {
    "Images": COUNT,
    "Rejected": COUNT,
    "Failed": COUNT,
    "Alerts": COUNT,
    "RekognitionCalls": described(COUNT, "An estimate: every image that was not rejected was analysed once."),
    "PriceUsd": described({"type": "number", "minimum": 0}, "The price of these calls in Rekognition's first tier."),
}
MAX_DAYS = 366
LIST_STATS = Operation(
    "GET",
    "/stats",
    "listStats",
    "Shows images, rejections, alerts and cost by day",
    Answer(
        "The days that have images or alerts, the newest first, and their totals. Images count on the day of the picture.",
        mapping({"Days": a_list(mapping({"Day": DAY, **_FIGURES})), "Total": mapping(_FIGURES)}),
    ),
    query=(Parameter("days", parameters.whole(1, MAX_DAYS), "How many days, up to and including today (UTC).", 30),),
    operators_only=True,
)
OPERATIONS = (LIST_STATS,)
