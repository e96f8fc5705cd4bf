"""Send Digest: every few minutes, sends queued alerts together, and counts of suppressed matches that no alert has reported."""

from __future__ import annotations

import uuid
from typing import Any

from imagewatch.aws.tables import digests as digests_table
from imagewatch.observability import logger, logs_invocation
from imagewatch.services.digests import DigestRun


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes the schedule's event and ignores its content; returns how many digests were sent, and of how many alerts."""
    run_id = uuid.uuid4().hex
    if not digests_table.acquire_run_lease(run_id):
        logger.info("Another run is at work.")
        return {"Busy": True}
    run = DigestRun()
    try:
        run.run()
    finally:
        digests_table.release_run_lease(run_id)
    return run.outcome
