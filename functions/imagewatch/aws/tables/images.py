"""The ImagesTable: one record for each image, owned by one lease of one version of its object.

Attributes keep late, repeated and superseded events and executions from changing a record:

* `Version` and `Lease` name the owner. Every write after the first is conditional on them. A record without `Lease` is being
  removed and has no owner.
* `LastEvent` is the sequencer of the latest event that the record reflects. With `ExposedByRemoval`, that event was a removal,
  and the age of the version that it exposed is unknown.
* `AnalyzingShard` and `AnalyzingSince` exist until the analysis has ended. They are the keys of the index `Analyzing`, in which
  the reconciliation finds analyses that take too long. The shard is the first digit of the image's id: with one key for all, the
  index would take at most 1,000 writes per second.
* `Stored` lists the owner's artifacts. A new lease moves them to `Stale`, and its execution deletes them when its analysis has
  ended. Stale artifacts that are `InProgress` belong to a superseded execution that still reads its analysis copy: that execution
  deletes them and their entry itself when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, cast

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.dynamodb import conditional_update, from_item, placeholders, set_clause, to_item
from imagewatch.aws.settings import setting
from imagewatch.images.record import ANALYZING, Artifacts, ImageRecord
from imagewatch.images.version import ImageVersion

MAX_RENDITIONS = 200  # listed in a record, which has room for 400 KB in all

_FINDINGS = (
    "Reason", "Labels", "LabelsOmitted", "Moderation", "Text", "TextOmitted", "TextUnavailable", "ModelVersions",
    "MatchedRules", "RulesOmitted", "Format", "Width", "Height", "Sha256", "Thumbnail", "AnalysisCopy", "Conversion", "Frames",
    "Coverage", "AnalyzedAt", "AlertFailure", "TakenAt", "TakenFrom", "TakenMinute",
    "TakenOffset",
)  # fmt: skip
_SHARDS = "0123456789abcdef"
_NOT_ANALYZING = "#AnalyzingShard, #AnalyzingSince"
_OWNED = "#Version = :owner_version AND #Lease = :owner_lease"


class LeaseResult(Enum):
    """What an announced version means for the image's record."""

    ACQUIRED = "the record now belongs to this version"
    IN_PROGRESS = "the record belongs to this version already, and its analysis has not ended"
    FINISHED = "the record belongs to this version already, and its analysis has ended"
    SUPERSEDED = "the record reflects a newer event"


def acquire_lease(new: ImageRecord, attributes: Mapping[str, Any], *, current: bool = False) -> tuple[LeaseResult, ImageRecord]:
    """Replaces the record by a new one, unless it is this version's already or reflects a newer event.

    Returns the stored record too: one of the same version can have another lease and another last event. `current`: S3 shows this
    version, so that it also replaces one of unknown age.
    """
    values = {**new.to_item(), **attributes}
    image_id = values.pop("ImageId")
    stale = "#Stale = list_append(if_not_exists(#Stale, :none), if_not_exists(#Stored, :none))"
    removed = ", ".join(f"#{name}" for name in (*_FINDINGS, *(() if "Owner" in values else ("Owner",))))
    older = "#LastEvent <= :LastEvent AND #Version <> :Version"
    bound = placeholders(values) | {":none": []}
    if not current:
        older, bound = f"{older} AND #ExposedByRemoval = :no", bound | {":no": False}
    condition = f"attribute_not_exists(#Lease) OR ({older})"
    acquired, found = _update(image_id, f"{set_clause(values)}, {stale} REMOVE {removed}", condition, bound)
    record = cast(ImageRecord, found)  # there is one: the condition only refuses an existing record
    if acquired:
        return LeaseResult.ACQUIRED, record
    if record.image.version != new.image.version:
        return LeaseResult.SUPERSEDED, record
    return (LeaseResult.IN_PROGRESS if record.status == ANALYZING else LeaseResult.FINISHED), record


def set_last_event(image: ImageVersion, sequencer: str) -> bool:
    """Advances LastEvent after a later event found the same version in S3; False when the lease is lost."""
    return _update_owned(image, "SET #LastEvent = :event", {":event": sequencer}, "#LastEvent < :event") is not None


def set_execution(image: ImageVersion, attributes: Mapping[str, Any], now: str) -> bool:
    """Writes the links of the execution that analyses the version from now on (ISO 8601).

    False when the lease is lost or the analysis has ended.
    """
    attributes = {**attributes, "AnalyzingSince": now}
    values = placeholders(attributes) | {":analyzing": ANALYZING}
    return _update_owned(image, f"{set_clause(attributes)} REMOVE #Reason", values, "#Status = :analyzing") is not None


def restart_analysis(image: ImageVersion, attributes: Mapping[str, Any], now: str) -> bool:
    """Shows an image whose analysis has ended as ANALYZING again, by the execution of these links; idempotent for one execution.

    False when the lease is lost, another analysis has not ended, or the analysis by this execution has ended. Findings and
    artifacts stay until the analysis replaces them.
    """
    values = {**attributes, "Status": ANALYZING, "AnalyzingShard": image.image_id[0], "AnalyzingSince": now}
    update = f"{set_clause(values)}, #Stored[0].InProgress = :yes REMOVE #Reason"
    bound = placeholders(values) | {":yes": True}
    same, ended = "#ExecutionArn = :ExecutionArn", "#Status <> :Status"
    condition = f"(({ended} AND NOT {same}) OR (NOT {ended} AND {same}))"
    return _update_owned(image, update, bound, condition) is not None


def set_reason(image: ImageVersion, reason: str) -> bool:
    """Writes why an analysis has not ended yet; False when the lease is lost or the analysis has ended."""
    values = {":reason": reason, ":analyzing": ANALYZING}
    return _update_owned(image, "SET #Reason = :reason", values, "#Status = :analyzing") is not None


def set_alert_failure(image: ImageVersion, reason: str) -> bool:
    """Writes why the alerts of an analysed image were not sent; False when the lease is lost."""
    return _update_owned(image, "SET #AlertFailure = :reason", {":reason": reason}) is not None


def update_if_owner(
    before: ImageRecord, attributes: Mapping[str, Any], listed: Artifacts, *, replaces_findings: bool
) -> ImageRecord | None:
    """Writes how an analysis ended, or what changes its index rows; returns the record, or None when `before` is outdated.

    `listed` are the artifacts with the index rows of the record as it will be. Rows that are listed now and will not be move to
    the stale artifacts. With `replaces_findings`, the findings of an earlier analysis of the same lease go. The listed
    renditions stay: they include the pictures that alerts have added.
    """
    stored, set_too = before.stored[0], "#Stored[0].#Terms = :terms, #Stored[0].#Position = :position"
    update = f"{set_clause(attributes)}, {set_too}" if attributes else f"SET {set_too}"
    values = {
        **placeholders(attributes),
        ":terms": list(listed.terms),
        ":position": listed.position,
        ":before": list(stored.terms),
    }
    if any(key not in listed.row_keys(before.image) for key in stored.row_keys(before.image)):
        update += ", #Stale = list_append(if_not_exists(#Stale, :none), :replaced)"
        replaced = Artifacts(stored.lease_id, stored.position, stored.terms, ())
        values |= {":none": [], ":replaced": [replaced.to_item()]}
    unchanged = "(attribute_not_exists(#Stored[0].#Terms) OR #Stored[0].#Terms = :before)"
    removed = [] if before.image.owner else ["#Owner"]  # until 2026-11-28, it was the source
    if "Status" in attributes:
        removed += ["#Stored[0].InProgress", _NOT_ANALYZING]
    else:
        unchanged, values[":analyzing"] = f"{unchanged} AND #Status <> :analyzing", ANALYZING
    if replaces_findings:
        removed += [f"#{name}" for name in _FINDINGS if name not in attributes]
    update = f"{update} REMOVE {', '.join(removed)}" if removed else update
    return _update_owned(before.image, update, values, unchanged)


def list_rendition(image: ImageVersion, key: str) -> ImageRecord | None:
    """Lists one more rendition before it is written, so that it is deleted with the others; idempotent.

    Returns the record; None when the lease is lost or MAX_RENDITIONS are listed: then the rendition must not be written.
    """
    listed = "#Stored[0].Renditions"
    values = {":keys": [key], ":key": key, ":most": MAX_RENDITIONS, **_owner(image)}
    condition = f"{_OWNED} AND NOT contains({listed}, :key) AND size({listed}) < :most"
    done, record = _update(image.image_id, f"SET {listed} = list_append({listed}, :keys)", condition, values)
    if record and (done or (record.is_leased_by(image) and key in record.stored[0].renditions)):
        return record
    return None


def remove_stale(record: ImageRecord) -> ImageRecord | None:
    """Removes the list of stale artifacts after they were deleted; returns the record.

    None when the lease is lost, or the list has changed since.
    """
    return _update_owned(record.image, "REMOVE #Stale", {":deleted": list(record.stale_items)}, "#Stale = :deleted")


def stale_artifacts(image: ImageVersion) -> tuple[int, Artifacts] | None:
    """The entry for this lease in the record's list of stale artifacts, with its index; None when there is none."""
    record = read(image.image_id)
    stale = enumerate(record.stale if record else ())
    return next(((index, artifacts) for index, artifacts in stale if artifacts.lease_id == image.lease_id), None)


def remove_stale_entry(image: ImageVersion, index: int) -> bool:
    """Removes this lease's entry from the list of stale artifacts; False when the entry isn't at this index any more.

    Without this, a key that is overwritten again and again before an analysis ends would fill its record.
    """
    entry = f"#Stale[{index}]"
    return _update(image.image_id, f"REMOVE {entry}", f"{entry}.#LeaseId = :owner", {":owner": image.lease_id})[0]


def read(image_id: str) -> ImageRecord | None:
    """The record now (a strongly consistent read), or None."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("IMAGES_TABLE"), Key=to_item({"ImageId": image_id}), ConsistentRead=True
        )
    return ImageRecord.from_item(from_item(answer["Item"])) if "Item" in answer else None


def analyzing_before(moment: str) -> Iterator[str]:
    """Ids of images whose analysis was requested before a time (ISO 8601) and has not ended, the oldest of each shard first.

    The index is eventually consistent: `read` says what is true.
    """
    for shard in _SHARDS:
        start: dict[str, Any] = {}
        while True:
            with translated():
                page = client("dynamodb").query(
                    TableName=setting("IMAGES_TABLE"),
                    IndexName="Analyzing",
                    KeyConditionExpression="AnalyzingShard = :shard AND AnalyzingSince < :moment",
                    ExpressionAttributeValues=to_item({":shard": shard, ":moment": moment}),
                    **start,
                )
            yield from (str(from_item(item)["ImageId"]) for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def revoke_lease(removal: ImageVersion) -> ImageRecord | None:
    """Takes the record from its owner, so that no execution can write to it; returns the record.

    None when there is no record, or it reflects a newer event than this removal.
    """
    condition = "attribute_exists(#ImageId) AND (#LastEvent <= :event OR attribute_not_exists(#Lease))"
    update = f"SET #LastEvent = :event REMOVE #Lease, {_NOT_ANALYZING}"
    revoked, record = _update(removal.image_id, update, condition, {":event": removal.sequencer})
    return record if revoked else None


def release_lease(image: ImageVersion) -> ImageRecord | None:
    """Gives up the lease of a version that can't be analysed; returns the record, or None when the lease is lost.

    A retry after a crash continues the removal of a record that has no owner any more.
    """
    condition = "#Version = :owner_version AND #Status = :analyzing AND (#Lease = :owner_lease OR attribute_not_exists(#Lease))"
    released, record = _update(
        image.image_id, f"REMOVE #Lease, {_NOT_ANALYZING}", condition, {**_owner(image), ":analyzing": ANALYZING}
    )
    return record if released else None


def delete(record: ImageRecord) -> None:
    """Deletes a record that has no owner, unless it was leased since or another removal has begun."""
    try:
        with translated():
            client("dynamodb").delete_item(
                TableName=setting("IMAGES_TABLE"),
                Key=to_item({"ImageId": record.image.image_id}),
                ConditionExpression="attribute_not_exists(Lease) AND LastEvent = :event",
                ExpressionAttributeValues=to_item({":event": record.last_event}),
            )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise


def _update_owned(image: ImageVersion, update: str, values: Mapping[str, Any], also: str = "") -> ImageRecord | None:
    condition = f"{_OWNED} AND {also}" if also else _OWNED
    done, record = _update(image.image_id, update, condition, {**values, **_owner(image)})
    return record if done else None


def _owner(image: ImageVersion) -> dict[str, str]:
    return {":owner_version": image.version, ":owner_lease": image.lease}


def _update(image_id: str, update: str, condition: str, values: Mapping[str, Any]) -> tuple[bool, ImageRecord | None]:
    """Whether the update was made, and the record as it is now (None when there is none)."""
    written = conditional_update(setting("IMAGES_TABLE"), {"ImageId": image_id}, update, condition, values)
    return written.done, ImageRecord.from_item(written.item) if written.item else None
