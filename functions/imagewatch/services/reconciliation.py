"""Finds images whose analysis should have ended, and records its outcome.

The end of an execution reaches the record by EventBridge, which delivers Step Functions' events at best effort (Amazon
EventBridge events reference, "AWS Step Functions events"). An image whose start became a dead letter has no execution at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from imagewatch import timestamps
from imagewatch.aws import stepfunctions as executions
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables import search_index
from imagewatch.images.record import ANALYZING, ImageRecord
from imagewatch.observability import count, logger, set_log_context
from imagewatch.services import image_store, interruptions
from imagewatch.services.image_store import Ending

OVERDUE_SECONDS = 40 * 60
"""Longer than an execution can take (the workflow's TimeoutSeconds), with the time to start it and to deliver its end."""
RETENTION_SECONDS = 14 * 24 * 3600
"""After this time, no message can start the analysis any more (the dead-letter queue's MessageRetentionPeriod)."""
LONGEST_RUN_SECONDS = 250
"""A little more than the function may run."""

NOT_STARTED = (
    "The analysis has not started. Its message is retried for two hours."
    " After that, it waits in the dead-letter queue for a redrive."
)
GIVEN_UP = "The analysis was never started, and its message has expired in the dead-letter queue. Analyze the image again."
OUTCOMES = ("Recorded", "Waiting", "GivenUp", "Running", "Unchanged")


def reconcile(has_time: Callable[[], bool]) -> Counter[str]:
    """Reconciles every image that is overdue, while there is time; returns how many had each of OUTCOMES. Idempotent.

    Raises TransientError; the next run continues.
    """
    outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    now = timestamps.milliseconds()
    for image_id in images_table.analyzing_before(timestamps.iso(now - OVERDUE_SECONDS * 1000)):
        if not has_time():
            logger.warning("The time is over. The next run continues.", outcomes=dict(outcomes))
            break
        record = images_table.read(image_id)
        outcomes[_reconcile(record, now) if record and record.leased and record.status == ANALYZING else "Unchanged"] += 1
    set_log_context(None, None)
    return outcomes


def _reconcile(record: ImageRecord, now: int) -> str:
    image = record.image
    set_log_context(image.to_state(), record.execution_arn)
    execution = executions.describe(record.execution_arn)
    if execution is None or not record.is_leased_by(execution.image):
        return _reconcile_unstarted(record, now)
    if not execution.has_ended:
        return "Running"
    if not _prepare_end(record):
        return "Unchanged"
    return "Recorded" if interruptions.record(image, execution.status, execution.error, execution.cause) else "Unchanged"


def _reconcile_unstarted(record: ImageRecord, now: int) -> str:
    if now - timestamps.moment(record.analyzing_since) > RETENTION_SECONDS * 1000:
        if not _prepare_end(record) or not image_store.end(record.image, Ending("FAILED", GIVEN_UP)):
            return "Unchanged"
        logger.error("The analysis was never started.", reason=GIVEN_UP)
        count("ImagesFailed")
        return "GivenUp"
    if record.reason != NOT_STARTED and images_table.set_reason(record.image, NOT_STARTED):
        logger.warning("The analysis has not started.", since=record.analyzing_since)
    return "Waiting"


def _prepare_end(record: ImageRecord) -> bool:
    """Deletes stale artifacts before the record ends, and marks it so that its rows follow; False when the lease is lost.

    A record that has ended leaves the index `Analyzing`, so after a crash in between no run of this function would find it.
    """
    search_index.mark_changed(record.image.image_id, rows_after=timestamps.milliseconds() + LONGEST_RUN_SECONDS * 1000)
    return not record.stale or image_store.delete_stale_artifacts(record)
