"""Record Alert Failure: writes to the image's record why its alerts were not sent. The Catch of Send Alert leads here.

Each invocation means that Send Alert failed after its retries: AlertsFailedAlarm counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.aws.tables import images as images_table
from imagewatch.images import failure_reasons
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger, task

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Image and Error {Error, Cause}; returns whether the reason was Recorded, and the Reason.

    The image stays ANALYZED. The record of a superseded version is not changed.
    """
    image = ImageVersion.from_state(event["Image"])
    reason = failure_reasons.explain(event["Error"])
    recorded = images_table.set_alert_failure(image, reason)
    logger.error("Alerts were not sent.", reason=reason, error=event["Error"]["Error"], recorded=recorded)
    return {"Recorded": recorded, "Reason": reason}
