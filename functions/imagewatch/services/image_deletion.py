"""Deletes images for their owner: every version of the object, the renditions, the index rows and the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from imagewatch import timestamps
from imagewatch.aws import versions
from imagewatch.aws.clients import client
from imagewatch.images.record import ImageRecord
from imagewatch.observability import logger
from imagewatch.services import image_store

CONCURRENT = 8
RESERVE_SECONDS = 8
"""Time for the last images of a request."""

Record = Mapping[str, Any]


class Time:
    """The time that a request has for deletions."""

    def __init__(self, seconds: float) -> None:
        self._end = timestamps.now() + round((seconds - RESERVE_SECONDS) * timestamps.SECOND)

    @property
    def is_over(self) -> bool:
        return timestamps.now() >= self._end


@dataclass(frozen=True)
class Deleted:
    """What was deleted of one image."""

    image_id: str
    versions: int
    """Versions of the object, delete markers included."""
    renditions: tuple[str, ...]
    """Their keys."""
    index_rows: int
    record: bool
    """False when a newer upload of the same key has taken the record meanwhile. That image stays."""


def delete_several(records: Sequence[Record], time: Time) -> tuple[list[Deleted], list[str]]:
    """Deletes images, CONCURRENT at a time, while time is left. Returns what was deleted, and the ids of those that are left."""
    client("s3"), client("dynamodb")  # made before the threads start, which would each make one
    deleted: list[Deleted] = []
    waiting = iter(records)
    with ThreadPoolExecutor(CONCURRENT) as threads:
        while not time.is_over and (batch := list(islice(waiting, CONCURRENT))):
            deleted += threads.map(delete, batch)
    return deleted, [str(record["ImageId"]) for record in records[len(deleted) :]]


def delete(record: Record) -> Deleted:
    """Deletes the image of a record. Repeating it after an error is harmless.

    The object's versions are deleted first: S3 reports each of them, and the intake then deletes what is left, even if this call
    ends early.
    """
    stored = ImageRecord.from_item(record)
    image = stored.image
    count = versions.delete_all(image.bucket, image.key)
    removed = image_store.remove(replace(image, sequencer=stored.last_event))
    artifacts = (*stored.stored, *stored.stale)
    logger.info("An image was deleted for its owner.", image_id=image.image_id, key=image.key, versions=count)
    return Deleted(
        image.image_id,
        count,
        tuple(dict.fromkeys(key for one in artifacts for key in one.renditions)),
        sum(len(one.row_keys(image)) for one in artifacts),
        removed,
    )
