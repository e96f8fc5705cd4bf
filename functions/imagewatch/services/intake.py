"""Admits image versions to the workflow: S3's events and repeated analyses lead to one execution for each, at a limited rate."""

from __future__ import annotations

import secrets
from dataclasses import replace

from imagewatch import timestamps
from imagewatch.aws import rate_limiter
from imagewatch.aws import s3 as objects
from imagewatch.aws import stepfunctions as executions
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables.images import LeaseResult
from imagewatch.errors import Throttled
from imagewatch.images.s3_events import ObjectEvent
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, set_log_context
from imagewatch.services import image_store
from imagewatch.timestamps import iso_now, iso_utc


def handle(event: ObjectEvent, deadline: int | None = None) -> None:
    """Starts or removes what one S3 event announces. Idempotent.

    Raises Throttled when the rate limiter has no slot until `deadline` (microseconds since the epoch; None: no limit).
    """
    if not event.is_upload:
        logger.info("Ignored: not an image.", key=event.image.key, size=event.image.size)
    elif event.has_content:
        admit(event.image, deadline)
    else:
        remove(event.image, deadline)


def admit(image: ImageVersion, deadline: int | None = None, *, by_removal: bool = False) -> None:
    """Shows the image as ANALYZING and starts its version's execution, unless that was done before. Idempotent.

    `by_removal`: the version was found in S3 after a removal, and not named by an event.
    """
    image = replace(image, lease=secrets.token_hex(4))
    name = image.execution_name()
    set_log_context(image.to_state(), executions.execution_arn(name))
    attributes = {**executions.links(name), "ReceivedAt": iso_now()}
    result, image = image_store.acquire_lease(image, attributes, by_removal=by_removal)
    superseded = result is LeaseResult.SUPERSEDED
    if result is LeaseResult.FINISHED or (superseded and by_removal):
        logger.info("Ignored: this version has been analysed, or the record reflects a newer event.", lease=result.name)
        return
    started = start_execution(image, name, deadline)
    if started and result is LeaseResult.IN_PROGRESS:  # an earlier attempt had leased the record and not started the execution
        images_table.set_execution(image, executions.links(name), iso_now())
    started = started or (not superseded and _analyze_again(image, deadline))
    logger.info("Execution started." if started else "Execution existed already.", lease=result.name)


def analyze_again(image: ImageVersion, run: str, deadline: int | None = None) -> bool:
    """Analyses a stored version once more, at the intake's rate: one that failed, or whose moderation is missing.

    `image` is the version as its record has it, with its lease. `run` names the repetition: all calls with the
    same names start one execution. The record shows ANALYZING until that has ended; findings, index rows and renditions stay
    until they are replaced. Alerts that were sent are not sent again.

    True when the execution was started, or runs since an earlier call. False when there is nothing to start: the record has
    another lease, another analysis has not ended, the analysis of this run has ended, or S3 shows another version. Raises
    TransientError: repeat the call with the same run. It is also raised when the rate limiter has no free slot until `deadline`
    (microseconds since the epoch; None: no limit).
    """
    name = image.execution_name(run=run)
    links = executions.links(name)
    set_log_context(image.to_state(), links["ExecutionArn"])
    if not objects.is_current(image) or not images_table.restart_analysis(image, links, iso_now()):
        logger.info("Not analysed again: the version isn't current, or its analysis has not ended.")
        return False
    started = start_execution(image, name, deadline)
    logger.info("Execution started again." if started else "Execution existed already.")
    return started


def start_execution(image: ImageVersion, name: str, deadline: int | None = None) -> bool:
    """Starts an execution in the next slot of the rate limiter; False when one of this name exists.

    Raises Throttled when all slots until `deadline` are taken.
    """
    executions.prepare()
    if not rate_limiter.wait_for_intake_slot(None if deadline is None else deadline - timestamps.now()):
        raise Throttled("The rate limiter has no free slot in the time of this invocation.")
    started = executions.start(image, name)
    if started:
        count("ImagesReceived")
    return started


def remove(removal: ImageVersion, deadline: int | None = None) -> None:
    """Deletes an image that is gone from its key. The version that the removal exposed, or left in place, is admitted.

    S3 is asked for the current version, because the permanent deletion of a delete marker restores the version below it.
    """
    set_log_context(removal.to_state(), None)
    found = objects.current(removal.bucket, removal.key)
    if found is None:
        logger.info("Image removed." if image_store.remove(removal) else "Nothing to remove.")
    elif found.version_id:  # in a bucket without versions, the object has its own event
        admit(objects.version_of(found, removal, iso_utc(found.uploaded_at)), deadline, by_removal=True)


def _analyze_again(image: ImageVersion, deadline: int | None) -> bool:
    """Starts a second execution for a version whose record was removed and created again.

    False when the version isn't current any more, or its analysis has ended.
    """
    if not objects.is_current(image):  # its event was delivered again after the removal
        image_store.discard(image)
        return False
    name = image.execution_name(run=image.lease)
    return images_table.set_execution(image, executions.links(name), iso_now()) and start_execution(image, name, deadline)
