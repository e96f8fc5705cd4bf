"""Start Analysis: turns S3's events on the intake queue into one execution for each object version, at a bounded pace."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from imagewatch import observability
from imagewatch.aws import rate_limiter
from imagewatch.aws import s3 as objects
from imagewatch.aws import stepfunctions as executions
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables.images import LeaseResult
from imagewatch.images import s3_events as intake
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger
from imagewatch.services import image_store as records
from imagewatch.timestamps import iso_utc


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers with the messages that failed, so that only those come back; after five times they are dead letters."""
    failures = []
    for message in event["Records"]:
        observability.set_log_context(None, None, context)
        try:
            for change in intake.parse_message(message["body"]):
                handle(change)
        except Exception:  # noqa: BLE001 (whatever it is, the message must come back)
            logger.exception("A message could not be handled; it stays on the queue.", message_id=message["messageId"])
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def handle(change: intake.ObjectEvent) -> None:
    """Carries out one event. Repeating it changes nothing."""
    if not change.concerns_us:
        logger.info("Ignored: not an image.", key=change.image.key, size=change.image.size)
    elif change.leaves_an_image:
        start(change.image)
    else:
        remove(change.image)


def start(image: ImageVersion, *, by_removal: bool = False) -> None:
    """Makes the image visible as ANALYZING and starts its version's execution, unless that has been done."""
    image = replace(image, lease=secrets.token_hex(4))
    name = image.execution_name()
    observability.set_log_context(image.to_state(), executions.execution_arn(name))
    received = {"ReceivedAt": iso_utc(datetime.now(UTC))}
    lease, image = records.acquire_lease(image, {**executions.links(name), **received}, by_removal=by_removal)
    if lease is LeaseResult.FINISHED or (lease is LeaseResult.SUPERSEDED and by_removal):
        logger.info("Ignored: this version has been analysed, or a newer event has been answered.", lease=lease.name)
        return
    started = run(image, name) or (lease is not LeaseResult.SUPERSEDED and run_again(image))
    logger.info("Execution started." if started else "Execution existed already.", lease=lease.name)


def run(image: ImageVersion, name: str) -> bool:
    """Starts an execution when its turn has come; False when one of this name has been started before."""
    executions.prepare()
    rate_limiter.wait_for_intake_slot()
    started = executions.start(image, name)
    if started:
        observability.count("ImagesReceived")
    return started


def run_again(image: ImageVersion) -> bool:
    """Analyses a version that had been analysed, lost its record, and is back; False when it isn't back, or needs no analysis."""
    if not objects.is_current(image):  # the event came once more after the removal
        records.withdraw(image)
        return False
    name = image.execution_name(run=image.lease)
    return images_table.hand_over(image, executions.links(name)) and run(image, name)


def remove(removal: ImageVersion) -> None:
    """Forgets an image that is gone from its key; what the removal brought to light, or left in place, is analysed if it wasn't.

    S3 is asked what the key holds now, because a removal can be undone by the permanent deletion of its delete marker.
    """
    observability.set_log_context(removal.to_state(), None)
    found = objects.current(removal.bucket, removal.key)
    if found is None:
        logger.info("Image removed." if records.forget(removal) else "Nothing to remove.")
    elif found.version_id:  # without versions, whatever is there now has an event of its own
        start(objects.version_of(found, removal, iso_utc(found.uploaded_at)), by_removal=True)
