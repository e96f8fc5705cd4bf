"""Record Failure: writes a failed analysis to the image's record. Every Catch of the workflow leads here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.images import failure_reasons
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.services import image_store
from imagewatch.services.image_store import Ending

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Image and Error {Error, Cause}; returns the record's Reason."""
    image = ImageVersion.from_state(event["Image"])
    reason = failure_reasons.explain(event["Error"])
    image_store.end(image, Ending("FAILED", reason))
    logger.error("Analysis failed.", reason=reason, error=event["Error"]["Error"])
    count("ImagesFailed")
    return {"Reason": reason}
