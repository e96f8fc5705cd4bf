"""Start Analysis: turns S3's events on the intake queue into one execution for each object version, at a bounded pace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch import intake, observability
from imagewatch.aws import executions, images_table, objects, pace_table, records
from imagewatch.aws.images_table import Claim
from imagewatch.images import ImageVersion
from imagewatch.observability import logger


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers with the messages that failed, so that only those come back; after five times they are dead letters."""
    failures = []
    for message in event["Records"]:
        observability.about(None, None, context)
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
    elif change.removed:
        remove(change)
    else:
        start(change.image, change.image.execution_name())


def start(image: ImageVersion, name: str) -> bool:
    """Makes the image visible as ANALYZING and starts its execution; False when that execution existed already."""
    arn = executions.execution_arn(name)
    observability.about(image.to_state(), arn)
    links = {"ExecutionArn": arn, "ExecutionUrl": executions.execution_url(arn)}
    claim = records.claim(image, {**links, "ReceivedAt": intake.iso_utc(datetime.now(UTC))})
    if claim is Claim.CONCLUDED:
        logger.info("Ignored: this version has been analysed.")
        return False
    pace_table.wait_for_slot()
    started = executions.start(image, name)
    logger.info("Execution started." if started else "Execution existed already.", claim=claim.name)
    if started:
        observability.count("ImagesReceived")
    return started


def remove(change: intake.ObjectEvent) -> None:
    """Forgets the image; if a permanent deletion has brought an older version to light, that one is analysed."""
    image = change.image
    observability.about(image.to_state(), None)
    only_version = change.permanent and bool(image.version_id)
    forgotten = records.forget(image, only_version=only_version)
    logger.info("Image removed." if forgotten else "Nothing to remove.")
    if only_version and images_table.read(image.image_id) is None:
        found = objects.current(image.bucket, image.key)
        if found:
            uncovered = objects.version_of(found, image, intake.iso_utc(found.uploaded_at))
            # Its own name first, in case it was never analysed; if it was, this is a deliberate second analysis.
            if not start(uncovered, uncovered.execution_name()):
                start(uncovered, uncovered.execution_name(run=f"uncovered at {image.sequencer}"))
