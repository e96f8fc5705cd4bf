"""The ImagesTable: one record for each image, owned by one lease of one version of its object.

Three attributes keep late, repeated and overtaken events and executions from changing anything. `Version` and `Lease` say whose
the record is, and every later write is conditional on them; a record without `Lease` is being removed, and nobody's. `LastEvent`
is the sequencer of the latest event that the record answers; with `ExposedByRemoval`, that was a removal, and how old the version
is that it left in place isn't known. `Stored` says what else exists for this lease (index rows and renditions); a new lease moves
it to `Stale`, from where it is cleared away once the new lease's analysis has ended. What is `InProgress` there belongs to an
analysis that was overtaken, and that clears it away itself when it ends, and strikes it off: until then it reads the image's
analysis copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.dynamodb import from_item, set_expression, to_item
from imagewatch.aws.settings import setting
from imagewatch.images.version import ImageVersion

MAX_RENDITIONS = 200  # a record has room for 400 KB in all

_FROM_THE_LAST_VERSION = (
    "Reason", "Labels", "LabelsOmitted", "Moderation", "Text", "TextOmitted", "TextUnavailable", "ModelVersions",
    "MatchedRules", "Format", "Width", "Height", "Sha256", "Thumbnail", "AnalysisCopy", "Conversion", "Frames", "Coverage",
    "AnalyzedAt",
)  # fmt: skip
_OURS = "#Version = :our_version AND #Lease = :our_lease"
Record = dict[str, Any]


class LeaseResult(Enum):
    """What a version that was just announced means for the image's record."""

    ACQUIRED = "the record now belongs to this version"
    HELD = "the record belongs to this version already, and it is being analysed"
    FINISHED = "the record belongs to this version already, and it has been analysed"
    SUPERSEDED = "the record answers a newer event"


def acquire_lease(
    image: ImageVersion, attributes: Mapping[str, Any], stored: Mapping[str, Any], *, current: bool = False
) -> tuple[LeaseResult, Record]:
    """Makes the record this version's, in status ANALYZING, unless it is that already or answers a newer event.

    Returns the record too: one that was this version's already can be so by another lease and another event. `current`: S3 shows
    this version, so that it takes the record even from one of unknown age.
    """
    image_id, state = image.image_id, {name: value for name, value in image.to_state().items() if name != "ImageId"}
    values = {**state, **attributes, "Owner": image.source, "Status": "ANALYZING"}
    values |= {"LastEvent": image.sequencer, "Stored": [{**stored, "InProgress": True}]}
    sets, bound = _sets(values)
    stale = "#Stale = list_append(if_not_exists(#Stale, :none), if_not_exists(#Stored, :none))"
    dropped = ", ".join(f"#{name}" for name in _FROM_THE_LAST_VERSION)
    older = "#LastEvent <= :LastEvent AND #Version <> :Version"
    if not current:
        older, bound = f"{older} AND #ExposedByRemoval = :no", bound | to_item({":no": False})
    condition = f"attribute_not_exists(#Lease) OR ({older})"
    taken, record = _try(image_id, f"{sets}, {stale} REMOVE {dropped}", condition, bound | to_item({":none": []}))
    if taken:
        return LeaseResult.ACQUIRED, record
    if record["Version"] != image.version:
        return LeaseResult.SUPERSEDED, record
    return (LeaseResult.HELD if record["Status"] == "ANALYZING" else LeaseResult.FINISHED), record


def confirm(image: ImageVersion, sequencer: str) -> bool:
    """Notes that so late an event still finds the lease's version in place; False when the lease has lost the record."""
    values = to_item({":event": sequencer})
    return _while_ours(image, "SET #LastEvent = :event", values, "#LastEvent < :event") is not None


def hand_over(image: ImageVersion, attributes: Mapping[str, Any]) -> bool:
    """Notes which other execution is to analyse the lease's version; False when there is nothing left to analyse."""
    sets, bound = _sets(attributes)
    return _while_ours(image, sets, bound | to_item({":analyzing": "ANALYZING"}), "#Status = :analyzing") is not None


def update_if_owner(image: ImageVersion, attributes: Mapping[str, Any], labels: Sequence[str] | None = None) -> Record | None:
    """Writes how the lease's analysis ended; returns the record, or None when it no longer belongs to this lease.

    `labels` are there when it ended with findings: they replace the index rows that the record lists for this lease, and nothing
    stays of what an earlier analysis of this lease had to say. Its renditions stay listed: an analysis that is repeated doesn't
    know of the pictures that alerts have added.
    """
    sets, values = _sets(attributes)
    dropped = ["#Stored[0].InProgress"]
    if labels is not None:
        sets, values = f"{sets}, #Stored[0].Labels = :indexed", values | to_item({":indexed": list(labels)})
        dropped += [f"#{name}" for name in _FROM_THE_LAST_VERSION if name not in attributes]
    return _while_ours(image, f"{sets} REMOVE {', '.join(dropped)}", values)


def list_rendition(image: ImageVersion, key: str) -> Record | None:
    """Lists one more rendition, before it is written, so that it goes when the others go; idempotent.

    Returns the record; None when it is no longer this lease's, or lists MAX_RENDITIONS already: then it must not be written.
    """
    listed = "#Stored[0].Renditions"
    values = to_item({":keys": [key], ":key": key, ":most": MAX_RENDITIONS}) | _our(image)
    condition = f"{_OURS} AND NOT contains({listed}, :key) AND size({listed}) < :most"
    done, record = _try(image.image_id, f"SET {listed} = list_append({listed}, :keys)", condition, values)
    if done or (belongs_to(image, record) and key in record["Stored"][0]["Renditions"]):
        return record
    return None


def left_behind(record: Mapping[str, Any]) -> list[Record]:
    """What older claims have stored and nobody uses or clears away any more."""
    return [stored for stored in record.get("Stale", []) if not stored.get("InProgress")]


def settle(image: ImageVersion) -> bool:
    """Forgets what was stale, now that it is cleared away; False when the record no longer belongs to this lease."""
    return _while_ours(image, "REMOVE #Stale", {}) is not None


def stale_of(image: ImageVersion) -> tuple[int, Record] | None:
    """What the record lists as stale of this lease, and its place in the list; None when it lists nothing of it."""
    stale = (read(image.image_id) or {}).get("Stale", [])
    return next(((place, stored) for place, stored in enumerate(stale) if stored["Edition"] == image.edition), None)


def strike_off(image: ImageVersion, place: int) -> bool:
    """Forgets what was stale of this lease; False when it isn't at this place any more.

    A key that is overwritten again and again, each time before an analysis has ended, would fill its record otherwise.
    """
    condition, values = f"#Stale[{place}].#Edition = :ours", to_item({":ours": image.edition})
    return _try(image.image_id, f"REMOVE #Stale[{place}]", condition, values)[0]


def belongs_to(image: ImageVersion, record: Record | None) -> bool:
    """Whether the record is (still) this lease's; one that isn't there (None, or empty) is nobody's."""
    if not record:
        return False
    return bool((record["Version"], record.get("Lease")) == (image.version, image.lease))


def read(image_id: str) -> Record | None:
    """The record as it is now, or None."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("IMAGES_TABLE"), Key=to_item({"ImageId": image_id}), ConsistentRead=True
        )
    return from_item(answer["Item"]) if "Item" in answer else None


def begin_removal(removal: ImageVersion) -> Record | None:
    """Takes the record away from whoever has it, so that nothing in flight can write to it again; returns it.

    None when there is no record, or it answers a newer event than this removal.
    """
    condition = "attribute_exists(ImageId) AND (#LastEvent <= :event OR attribute_not_exists(#Lease))"
    values = to_item({":event": removal.sequencer})
    taken, record = _try(removal.image_id, "SET #LastEvent = :event REMOVE #Lease", condition, values)
    return record if taken else None


def begin_withdrawal(image: ImageVersion) -> Record | None:
    """Takes the record away from a lease that can't be analysed; returns it, or None when it isn't this lease's any more.

    Tried again after a crash, it takes up the removal that it (or somebody else) has begun.
    """
    condition = "#Version = :our_version AND #Status = :analyzing AND (#Lease = :our_lease OR attribute_not_exists(#Lease))"
    taken, record = _try(image.image_id, "REMOVE #Lease", condition, _our(image) | to_item({":analyzing": "ANALYZING"}))
    return record if taken else None


def remove(record: Record) -> None:
    """Deletes a record that was taken away, unless somebody has claimed it since or a newer removal is at it."""
    try:
        with translated():
            client("dynamodb").delete_item(
                TableName=setting("IMAGES_TABLE"),
                Key=to_item({"ImageId": record["ImageId"]}),
                ConditionExpression="attribute_not_exists(Lease) AND LastEvent = :event",
                ExpressionAttributeValues=to_item({":event": record["LastEvent"]}),
            )
    except ClientError as error:
        _refused(error)


def _while_ours(image: ImageVersion, update: str, values: Mapping[str, Any], also: str = "") -> Record | None:
    condition = f"{_OURS} AND {also}" if also else _OURS
    done, record = _try(image.image_id, update, condition, {**values, **_our(image)})
    return record if done else None


def _our(image: ImageVersion) -> dict[str, Any]:
    return to_item({":our_version": image.version, ":our_lease": image.lease})


def _sets(attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    sets, _, bound = set_expression(attributes)
    return sets, bound


def _try(image_id: str, update: str, condition: str, values: Mapping[str, Any]) -> tuple[bool, Record]:
    """Whether the condition held and the update was made, and the record as it is now (empty when there is none)."""
    arguments: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
    try:
        with translated():
            answer = client("dynamodb").update_item(
                TableName=setting("IMAGES_TABLE"),
                Key=to_item({"ImageId": image_id}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in re.findall(r"#(\w+)", f"{update} {condition}")},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **arguments,
            )
    except ClientError as error:
        return False, from_item(_refused(error).get("Item", {}))
    return True, from_item(answer["Attributes"])


def _refused(error: ClientError) -> dict[str, Any]:
    """The response to a write whose condition didn't hold; any other error is raised again."""
    if error_code(error) != "ConditionalCheckFailedException":
        raise error
    return dict(error.response)
