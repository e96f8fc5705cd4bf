"""Changes an image's record, index rows and renditions together, in an order that a retry completes after a crash anywhere.

The record is written first and lists its artifacts; the index rows follow; stale artifacts are deleted last. So every artifact is
listed in the record while it exists, and running the same step again either completes it or deletes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch import timestamps
from imagewatch.aws import s3 as objects
from imagewatch.aws import stepfunctions as executions
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables import search_index
from imagewatch.aws.tables.images import LeaseResult
from imagewatch.errors import Unavailable
from imagewatch.images.record import ANALYZING, Artifacts, ImageRecord
from imagewatch.images.taken import taken_by_upload
from imagewatch.images.version import ImageVersion
from imagewatch.search.postings import Key

Delete = Callable[[Artifacts, ImageVersion, Collection[Key]], None]


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


def store(image: ImageVersion, attributes: Mapping[str, Any]) -> bool:
    """Ends a lease's analysis with findings: writes these attributes, and the index rows.

    False when the lease is lost to a newer one or to a removal: then this lease's artifacts are deleted.
    """
    return _write(image, attributes, _delete, replaces_findings=True) or _delete_own_artifacts(image)


def add_matched_rules(image: ImageVersion, attributes: Mapping[str, Any], findings: Mapping[str, Any]) -> bool:
    """Writes which rules match an analysed image, and its index rows with them; False when the lease is lost.

    `findings` are those of the lease's analysis.
    """
    return _write(image, attributes, _delete_rows, {"Status": "ANALYZED", **findings})


def end(image: ImageVersion, ending: Ending) -> bool:
    """Ends a lease's analysis without findings; False when the lease is lost."""
    return _write(image, ending.to_item(), _delete) or _delete_own_artifacts(image)


def complete(record: ImageRecord) -> bool:
    """Writes the index rows of a finished record and deletes stale artifacts; False when the lease is lost meanwhile."""
    if _write_rows(record, _delete):
        return True
    search_index.delete([row.key for row in record.rows])
    return _delete_own_artifacts(record.image)


def reindex(image_id: str) -> bool:
    """Writes the index rows that follow from a record as it is; False where there is no finished record. Idempotent."""
    record = images_table.read(image_id)
    return record is not None and record.status != ANALYZING and _write(record.image, {}, _delete_rows)


def is_owner(image: ImageVersion) -> bool:
    """Whether the record belongs to this lease."""
    record = images_table.read(image.image_id)
    return record is not None and record.is_leased_by(image)


def remove(removal: ImageVersion) -> bool:
    """Deletes an image's record, index rows and renditions; False when no record is affected by the removal."""
    return _remove(images_table.revoke_lease(removal))


def discard(image: ImageVersion) -> bool:
    """Deletes the record and artifacts of a lease whose version is gone; False when the lease is lost."""
    return _remove(images_table.release_lease(image)) or _delete_own_artifacts(image)


def delete_stale_artifacts(record: ImageRecord) -> bool:
    """Deletes what earlier leases have left; False when the lease is lost."""
    current = _delete_stale(record, _delete)
    return current is not None and current.is_leased_by(record.image)


def _write(
    image: ImageVersion,
    attributes: Mapping[str, Any],
    delete: Delete,
    known: Mapping[str, Any] | None = None,
    *,
    replaces_findings: bool = False,
) -> bool:
    """Writes attributes to a lease's record, listing the index rows that follow from them; then the rows.

    False when the lease is lost: then the rows that this step can have written are deleted. `known` are attributes that the
    record had before. `delete` deletes stale artifacts; with `_delete_rows`, those with renditions stay listed.
    """
    searched: dict[str, Any] = {"Source": image.source, **(known or {}), **attributes}
    while (before := images_table.read(image.image_id)) and before.is_leased_by(image):
        if "Status" not in attributes and before.status == ANALYZING:
            return True  # the image is analysed again, and the end of that analysis writes everything
        searched = {**({} if replaces_findings else before.searched), "Source": image.source, **attributes}
        changes = {**taken_by_upload(image), **attributes} if "TakenAt" not in searched else attributes
        listed = Artifacts.of(image, searched)
        record = images_table.update_if_owner(before, changes, listed, replaces_findings=replaces_findings)
        if record and _write_rows(record, delete):
            return True
    search_index.delete(Artifacts.of(image, searched).row_keys(image))
    return False


def _write_rows(record: ImageRecord, delete: Delete) -> bool:
    """Writes the index rows that follow from a record, and deletes stale artifacts; False when the lease is lost.

    The record is read again afterwards: if another writer of the same lease has changed it meanwhile, the rows are written again.
    """
    while True:
        search_index.put(record.rows)
        # A removal can come between the record and its rows: then the callers delete the rows again.
        current = _delete_stale(record, delete)
        if current is None or not current.is_leased_by(record.image):
            return False
        if current.searched == record.searched and current.stale_items in ([], record.stale_items):
            search_index.mark_changed(record.image.image_id)
            return True
        record = current


def _remove(record: ImageRecord | None) -> bool:
    if record is None:
        return False
    for artifacts in (*record.stored, *record.stale):
        _delete(artifacts, record.image)
    search_index.mark_changed(record.image.image_id)  # before the record is gone, so that a retry marks it too
    images_table.delete(record)
    return True


def _delete_stale(record: ImageRecord, delete: Delete) -> ImageRecord | None:
    """Deletes what earlier leases and analyses have left. Returns the record as it is now, or None."""
    deleted = None
    if record.stale and (delete is not _delete_rows or not any(artifacts.renditions for artifacts in record.stale)):
        for artifacts in record.deletable:
            delete(artifacts, record.image, record.row_keys)
        deleted = images_table.remove_stale(record)
    return deleted or images_table.read(record.image.image_id)


def _delete_own_artifacts(image: ImageVersion) -> bool:
    """Deletes the renditions of a lost lease, and what the record lists for it. Returns False, for its callers to return."""
    objects.delete_renditions(image.rendition_keys)
    while found := images_table.stale_artifacts(image):
        index, artifacts = found
        _delete(artifacts, image)  # lists more than this step knows of when the lease's analysis had ended before
        images_table.remove_stale_entry(image, index)
    return False


def _delete(artifacts: Artifacts, image: ImageVersion, kept: Collection[Key] = ()) -> None:
    _delete_rows(artifacts, image, kept)
    objects.delete_renditions(artifacts.renditions)


def _delete_rows(artifacts: Artifacts, image: ImageVersion, kept: Collection[Key] = ()) -> None:
    search_index.delete([key for key in artifacts.row_keys(image) if key not in kept])
