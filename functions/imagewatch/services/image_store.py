"""Changes an image's record, index rows and renditions together, in an order that a retry completes after a crash anywhere.

The record is written first and lists its artifacts; the index rows follow; stale artifacts are deleted last. So every artifact is
listed in the record while it exists, and running the same step again either completes it or deletes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch import timestamps
from imagewatch.aws import s3 as objects
from imagewatch.aws import stepfunctions as executions
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables import label_index
from imagewatch.aws.tables.images import LeaseResult
from imagewatch.errors import Unavailable
from imagewatch.images.record import Artifacts, ImageRecord
from imagewatch.images.version import ImageVersion


@dataclass(frozen=True)
class Ending:
    """How an analysis ended without findings: the record's Status and Reason."""

    status: str
    """REJECTED or FAILED."""
    reason: str
    """A sentence for the image's owner."""

    def to_item(self) -> dict[str, Any]:
        return {"Status": self.status, "Reason": self.reason, "MatchedRules": [], "AnalyzedAt": timestamps.iso_now()}


def acquire_lease(
    image: ImageVersion, attributes: Mapping[str, Any], *, by_removal: bool = False
) -> tuple[LeaseResult, ImageVersion]:
    """Shows the image as ANALYZING with these attributes, unless its record is this version's or reflects a newer event.

    Returns the version as the record has it, which can have another lease than the given one. `by_removal`: a removal exposed
    this version in S3. Raises Unavailable when the execution of such a version hasn't been recorded yet: it may have found the
    image removed and may be about to delete the record, so the event must come again after it has ended.
    """
    new, current = ImageRecord.analyzing(image, timestamps.iso_now(), exposed_by_removal=by_removal), by_removal
    while True:
        result, record = images_table.acquire_lease(new, attributes, current=current)
        superseded = result is LeaseResult.SUPERSEDED
        if superseded and not current and record.last_event <= image.sequencer and objects.is_current(image):
            current = True
            continue
        if result not in (LeaseResult.IN_PROGRESS, LeaseResult.FINISHED):
            return result, image
        if record.last_event >= image.sequencer:
            return result, record.image
        if by_removal and result is LeaseResult.IN_PROGRESS and has_execution(record):
            raise Unavailable("The version that a removal exposed is still being analysed. The event is retried later.")
        if images_table.set_last_event(record.image, image.sequencer):
            return result, record.image


def has_execution(record: ImageRecord) -> bool:
    """Whether an execution was started for the record's lease, also if it has ended."""
    execution = executions.describe(record.execution_arn)
    return execution is not None and record.is_leased_by(execution.image)


def store(image: ImageVersion, attributes: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> bool:
    """Ends a lease's analysis with findings: writes these attributes, and an index row for each label.

    False when the lease is lost to a newer one or to a removal: then this lease's artifacts are deleted.
    """
    indexed = [row["Label"] for row in label_index.rows(image, labels)]
    record = images_table.update_if_owner(image, {**attributes, "Labels": labels}, indexed)
    if record:
        return complete(image, record)
    return _delete_own_artifacts(image, indexed)


def complete(image: ImageVersion, record: ImageRecord) -> bool:
    """Writes the index rows of a finished record and deletes stale artifacts; False when the lease is lost meanwhile."""
    rows = label_index.rows(image, record.labels)
    label_index.put(rows)
    # A removal can come between the record and its rows: then the rows are deleted again.
    if delete_stale_artifacts(image, record):
        return True
    return _delete_own_artifacts(image, [row["Label"] for row in rows])


def end(image: ImageVersion, ending: Ending) -> bool:
    """Ends a lease's analysis without findings; False when the lease is lost."""
    record = images_table.update_if_owner(image, ending.to_item())
    if record and delete_stale_artifacts(image, record):
        return True
    return _delete_own_artifacts(image)


def is_owner(image: ImageVersion) -> bool:
    """Whether the record belongs to this lease."""
    record = images_table.read(image.image_id)
    return record is not None and record.is_leased_by(image)


def remove(removal: ImageVersion) -> bool:
    """Deletes an image's record, index rows and renditions; False when no record is affected by the removal."""
    return _remove(images_table.revoke_lease(removal))


def discard(image: ImageVersion) -> bool:
    """Deletes the record and artifacts of a lease whose version is gone; False when the lease is lost."""
    if _remove(images_table.release_lease(image)):
        return True
    return _delete_own_artifacts(image)


def _remove(record: ImageRecord | None) -> bool:
    if record is None:
        return False
    for artifacts in (*record.stored, *record.stale):
        _delete(artifacts)
    images_table.delete(record)
    return True


def delete_stale_artifacts(image: ImageVersion, record: ImageRecord) -> bool:
    """Deletes what earlier leases have left; False when the lease is lost."""
    for artifacts in record.deletable:
        _delete(artifacts)
    return images_table.remove_stale(image) if record.stale else is_owner(image)


def _delete_own_artifacts(image: ImageVersion, labels: Sequence[str] = ()) -> bool:
    """Deletes everything of a lease that is lost. Returns False, for its callers to return."""
    _delete(Artifacts.of(image, labels))
    while found := images_table.stale_artifacts(image):
        index, artifacts = found
        _delete(artifacts)  # lists more than this step knows of when the lease's analysis had ended before
        if images_table.remove_stale_entry(image, index):
            break
    return False


def _delete(artifacts: Artifacts) -> None:
    label_index.delete(artifacts)
    objects.delete_renditions(artifacts.renditions)
