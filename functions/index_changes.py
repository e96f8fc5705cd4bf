"""Index Changes: updates the counts of changed images, and completes index rows. Runs on a schedule."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from imagewatch.aws.tables import search_counts
from imagewatch.observability import logger, logs_invocation
from imagewatch.services import index_changes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_MILLISECONDS = 30_000
"""Time that one fold can take: a run doesn't begin another one with less left."""


@logs_invocation
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the schedule's event, or {EveryImage: true} to index every image again; returns how many images were counted."""
    if event.get("EveryImage"):
        search_counts.request_all()
    if not index_changes.is_needed():
        return {"Images": 0}
    run_id = uuid.uuid4().hex
    if not search_counts.acquire_run_lease(run_id):
        logger.info("Another run is at work.")
        return {"Busy": True}
    try:
        images = index_changes.run(lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)
    finally:
        search_counts.release_run_lease(run_id)
    logger.info("Counts updated.", images=images)
    return {"Images": images}
