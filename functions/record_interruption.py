"""Record Interruption: an execution that ended where no Catch could see it (timed out, aborted, broken) gets its record too.

EventBridge tells of the execution's end; the image is in the execution's input.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from imagewatch import observability
from imagewatch.aws.tables import images as images_table
from imagewatch.images import failure_reasons as reasons
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger
from imagewatch.services import image_store as records
from imagewatch.timestamps import iso_utc


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes EventBridge's "Step Functions Execution Status Change"; returns whether there was anything to record."""
    detail = event["detail"]
    state = json.loads(detail["input"])["image"]
    observability.set_log_context(state, detail["executionArn"], context)
    image = ImageVersion.from_state(state)
    record = images_table.read(image.image_id)
    if record and images_table.belongs_to(image, record) and record["Status"] != "ANALYZING":
        # It can have been cut off just after the record was written; what should have followed is done here.
        records.complete(image, record)
        logger.info("Already recorded.", status=record["Status"])
        return {"Recorded": False}
    reason = reasons.interruption(detail["status"], detail.get("error") or "", detail.get("cause") or "")
    attributes = {"Status": "FAILED", "Reason": reason, "MatchedRules": [], "AnalyzedAt": iso_utc(datetime.now(UTC))}
    recorded = records.end(image, attributes)
    logger.error("Analysis interrupted.", reason=reason, status=detail["status"])
    count("ImagesFailed")
    return {"Recorded": recorded}
