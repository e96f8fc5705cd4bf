"""Record Rejection: writes to the image's record why it can't be analysed. A rejection is a result, not a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.errors import ImageGone
from imagewatch.images import failure_reasons
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.services import image_store
from imagewatch.services.image_store import Ending

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Image and Error {Error, Cause}; returns Status and Reason. The record of an image that is gone is deleted."""
    image = ImageVersion.from_state(event["Image"])
    reason = failure_reasons.explain(event["Error"])
    if event["Error"]["Error"] == ImageGone.__name__:
        image_store.discard(image)
        logger.info("Image is gone.", reason=reason)
        return {"Status": "GONE", "Reason": reason}
    image_store.end(image, Ending("REJECTED", reason))
    logger.info("Image rejected.", reason=reason)
    count("ImagesRejected")
    return {"Status": "REJECTED", "Reason": reason}
