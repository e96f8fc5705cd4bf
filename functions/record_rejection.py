"""Record Rejection: an image that can't be analysed ends as a record that says why. That is a result, not a failure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.errors import ImageGone
from imagewatch.images import failure_reasons as reasons
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.services import image_store as records
from imagewatch.timestamps import iso_utc


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image and Error {Error, Cause}; returns Status and Reason. An image that is gone leaves no record."""
    image = ImageVersion.from_state(event["Image"])
    reason = reasons.explain(event["Error"])
    if event["Error"]["Error"] == ImageGone.__name__:
        records.withdraw(image)
        logger.info("Image is gone.", reason=reason)
        return {"Status": "GONE", "Reason": reason}
    attributes = {"Status": "REJECTED", "Reason": reason, "MatchedRules": [], "AnalyzedAt": iso_utc(datetime.now(UTC))}
    records.end(image, attributes)
    logger.info("Image rejected.", reason=reason)
    count("ImagesRejected")
    return {"Status": "REJECTED", "Reason": reason}
