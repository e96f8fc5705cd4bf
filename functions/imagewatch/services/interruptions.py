"""Records executions that ended without writing the image's record: timed out, aborted, or broken."""

from __future__ import annotations

from imagewatch.aws.tables import images as images_table
from imagewatch.images import failure_reasons
from imagewatch.images.record import ANALYZING
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger
from imagewatch.services import image_store
from imagewatch.services.image_store import Ending


def record(image: ImageVersion, status: str, error: str, cause: str) -> bool:
    """Writes an interrupted execution's end to its image's record; False when the record is another's, or finished already.

    `status`, `error` and `cause` are the execution's, as Step Functions reports them; `error` and `cause` can be empty.
    """
    current = images_table.read(image.image_id)
    if current and current.is_leased_by(image) and current.status != ANALYZING:
        # The execution can have ended right after it wrote the record: index rows and stale artifacts may need completion.
        image_store.complete(current)
        logger.info("Already recorded.", status=current.status)
        return False
    reason = failure_reasons.interruption(status, error, cause)
    recorded = image_store.end(image, Ending("FAILED", reason))
    logger.error("Analysis interrupted.", reason=reason, status=status)
    count("ImagesFailed")
    return recorded
