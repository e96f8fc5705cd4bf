"""Analyses a stored image again for its owner, and says what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.settings import setting
from imagewatch.images import price
from imagewatch.images.record import ANALYZING, ImageRecord
from imagewatch.services import intake

RESERVE_SECONDS = 5


def start(record: Mapping[str, Any], seconds: float, *, dry_run: bool) -> dict[str, Any] | None:
    """Starts the analysis at the intake's rate; returns its price. None while it is being analysed, or when its file has changed.

    The run is named by the end of the last analysis, so that repeated calls start one execution. `seconds` is the time that is
    left. Raises Throttled when the rate limiter has no free slot in that time.
    """
    calls = price.calls(detects_text=setting("TEXT_DETECTION") == "on")
    answer = {"ImageId": record["ImageId"], "Started": not dry_run, "RekognitionCalls": calls, "PriceUsd": price.usd(calls)}
    if dry_run:
        return answer
    if record["Status"] == ANALYZING:
        return None
    deadline = timestamps.now() + round((seconds - RESERVE_SECONDS) * timestamps.SECOND)
    image = ImageRecord.from_item(record).image
    return answer if intake.analyze_again(image, f"api {record.get('AnalyzedAt', '')}", deadline) else None
