"""Record Failure: from every Catch, so that no image is ever left in progress when a step of ours has failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.images import failure_reasons as reasons
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.services import image_store as records
from imagewatch.timestamps import iso_utc


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image and Error {Error, Cause}; returns the Reason that the record now shows."""
    image = ImageVersion.from_state(event["Image"])
    reason = reasons.explain(event["Error"])
    attributes = {"Status": "FAILED", "Reason": reason, "MatchedRules": [], "AnalyzedAt": iso_utc(datetime.now(UTC))}
    records.end(image, attributes)
    logger.error("Analysis failed.", reason=reason, error=event["Error"]["Error"])
    count("ImagesFailed")
    return {"Reason": reason}
