"""Send Digest: every few minutes, what could not be sent one by one is told together, and counts that wait for long are told."""

from __future__ import annotations

import uuid
from typing import Any

from imagewatch.aws.tables import digests as digests_table
from imagewatch.observability import logger, logs_invocation
from imagewatch.services.digests import DigestRun


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes the schedule's event (whatever is in it); returns how many digests were sent, and how many alerts they told."""
    run_id = uuid.uuid4().hex
    if not digests_table.begin(run_id):
        logger.info("Another run is at work.")
        return {"Busy": True}
    run = DigestRun()
    try:
        run.run()
    finally:
        digests_table.end(run_id)
    return run.outcome
