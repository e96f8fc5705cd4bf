"""Send Digest: every few minutes, what could not be sent one by one is told together, and counts that wait for long are told."""

from __future__ import annotations

import uuid
from typing import Any

from imagewatch.aws import digests_table
from imagewatch.aws.digesting import DigestRun
from imagewatch.observability import about, logger


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes the schedule's event (whatever is in it); returns how many digests were sent, and how many alerts they told."""
    about(None, None, context)
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
