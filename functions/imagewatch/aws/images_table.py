"""The ImagesTable: one record for each image, owned by the newest version of its object.

Every write after the first is conditional on the record still belonging to the writer's version (`Sequencer`), which is how
late, repeated and overtaken executions change nothing. `Stored` says what else exists for this version (index rows and
renditions); a newer version moves it to `Stale`, from where it is cleared away once the newer version has been concluded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.environment import setting
from imagewatch.aws.items import from_item, set_expression, to_item
from imagewatch.images import ImageVersion

MAX_RENDITIONS = 200  # a record has room for 400 KB in all

_FROM_THE_LAST_VERSION = (
    "Reason", "Labels", "LabelsOmitted", "Moderation", "Text", "TextUnavailable", "ModelVersions", "MatchedRules", "Format",
    "Width", "Height", "Sha256", "Thumbnail", "AnalysisCopy", "Conversion", "AnalyzedAt",
)  # fmt: skip


class Claim(Enum):
    """What a version that was just announced means for the image's record."""

    NEW = "the record now belongs to this version"
    KNOWN = "the record belongs to this version already, and it is being analysed"
    CONCLUDED = "the record belongs to this version already, and it has been analysed"
    OVERTAKEN = "the record belongs to a newer version"


def claim(image: ImageVersion, attributes: Mapping[str, Any], stored: Mapping[str, Any]) -> Claim:
    """Makes the record this version's, in status ANALYZING, unless a newer version has it."""
    values = {
        **{name: value for name, value in image.to_state().items() if name != "ImageId"},
        **attributes,
        "Owner": image.source,
        "Status": "ANALYZING",
        "Stored": [stored],
    }
    sets, names, bound = set_expression(values)
    dropped = {f"#{name}": name for name in _FROM_THE_LAST_VERSION}
    expression = (
        f"{sets}, Stale = list_append(if_not_exists(Stale, :none), if_not_exists(#Stored, :none)) REMOVE {', '.join(dropped)}"
    )
    try:
        _update(
            image.image_id,
            UpdateExpression=expression,
            ConditionExpression="attribute_not_exists(ImageId) OR #Sequencer < :Sequencer",
            ExpressionAttributeNames=names | dropped,
            ExpressionAttributeValues=bound | to_item({":none": []}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        record = from_item(_refused(error).get("Item", {}))
        if record.get("Sequencer") != image.sequencer:
            return Claim.OVERTAKEN
        return Claim.KNOWN if record.get("Status") == "ANALYZING" else Claim.CONCLUDED
    return Claim.NEW


def conclude(image: ImageVersion, attributes: Mapping[str, Any], labels: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Writes how the version's analysis ended; returns the record, or None when it no longer belongs to this version.

    `labels` replaces the index rows that the record lists for this version. Its renditions stay listed: an analysis that is
    repeated doesn't know of the pictures that alerts have added.
    """
    sets, names, values = set_expression(attributes)
    if labels is not None:
        sets += ", #Stored[0].Labels = :indexed"
        names |= {"#Stored": "Stored"}
        values |= to_item({":indexed": list(labels)})
    return _while_it_is_ours(image, sets, names, values)


def list_rendition(image: ImageVersion, key: str) -> dict[str, Any] | None:
    """Lists one more rendition, before it is written, so that it goes when the others go; idempotent.

    Returns the record; None when it is no longer this version's, or lists MAX_RENDITIONS already: then it must not be written.
    """
    try:
        answer = _update(
            image.image_id,
            UpdateExpression="SET #Stored[0].Renditions = list_append(#Stored[0].Renditions, :keys)",
            ConditionExpression="#Sequencer = :mine AND NOT contains(#Stored[0].Renditions, :key)"
            " AND size(#Stored[0].Renditions) < :most",
            ExpressionAttributeNames={"#Stored": "Stored", "#Sequencer": "Sequencer"},
            ExpressionAttributeValues=to_item({":keys": [key], ":key": key, ":mine": image.sequencer, ":most": MAX_RENDITIONS}),
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        record = from_item(_refused(error).get("Item", {}))
        is_listed = record.get("Sequencer") == image.sequencer and key in record["Stored"][0]["Renditions"]
        return record if is_listed else None
    return from_item(answer["Attributes"])


def settle(image: ImageVersion) -> bool:
    """Forgets what was stale, now that it is cleared away; False when the record no longer belongs to this version."""
    return _while_it_is_ours(image, "REMOVE Stale", {}, {}) is not None


def belongs_to(image: ImageVersion) -> bool:
    """Whether the record is (still) this version's."""
    return (read(image.image_id) or {}).get("Sequencer") == image.sequencer


def read(image_id: str) -> dict[str, Any] | None:
    """The record as it is now, or None."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("IMAGES_TABLE"), Key=to_item({"ImageId": image_id}), ConsistentRead=True
        )
    return from_item(answer["Item"]) if "Item" in answer else None


def begin_removal(image: ImageVersion, *, only_version: bool) -> dict[str, Any] | None:
    """Takes the record away from every older version, so that nothing in flight can write to it again; returns it.

    None when there is no record that this removal concerns. With `only_version`, it concerns that version alone.
    """
    condition = "attribute_exists(ImageId) AND #Sequencer <= :Sequencer"
    values = to_item({":Sequencer": image.sequencer})
    names = {"#Sequencer": "Sequencer"}
    if only_version:
        condition += " AND #VersionId = :VersionId"
        values |= to_item({":VersionId": image.version_id})
        names["#VersionId"] = "VersionId"
    try:
        answer = _update(
            image.image_id,
            UpdateExpression="SET #Sequencer = :Sequencer",
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        _refused(error)
        return None
    return from_item(answer["Attributes"])


def remove(image: ImageVersion) -> None:
    """Deletes the record if it is still this version's (or this removal's)."""
    try:
        with translated():
            client("dynamodb").delete_item(
                TableName=setting("IMAGES_TABLE"),
                Key=to_item({"ImageId": image.image_id}),
                ConditionExpression="#Sequencer = :Sequencer",
                ExpressionAttributeNames={"#Sequencer": "Sequencer"},
                ExpressionAttributeValues=to_item({":Sequencer": image.sequencer}),
            )
    except ClientError as error:
        _refused(error)


def _while_it_is_ours(
    image: ImageVersion, expression: str, names: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, Any] | None:
    try:
        answer = _update(
            image.image_id,
            UpdateExpression=expression,
            ConditionExpression="#Sequencer = :mine",
            ExpressionAttributeNames={**names, "#Sequencer": "Sequencer"},
            ExpressionAttributeValues={**values, ":mine": {"S": image.sequencer}},
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        _refused(error)
        return None
    return from_item(answer["Attributes"])


def _update(image_id: str, **arguments: Any) -> Any:
    with translated():
        return client("dynamodb").update_item(TableName=setting("IMAGES_TABLE"), Key=to_item({"ImageId": image_id}), **arguments)


def _refused(error: ClientError) -> dict[str, Any]:
    """The response to a write whose condition didn't hold; any other error is raised again."""
    if error_code(error) != "ConditionalCheckFailedException":
        raise error
    return dict(error.response)
