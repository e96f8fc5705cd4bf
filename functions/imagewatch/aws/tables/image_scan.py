"""The ImagesTable as history: read from end to end, a piece at a time, and changed only where other rules match than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, refused_item, translated
from imagewatch.aws.dynamodb import Item, from_item, to_item
from imagewatch.aws.settings import setting
from imagewatch.rules.backfill import Run

PIECE = 100  # records in one answer: half a megabyte, of which an interrupted page reads a part again

_READ = (
    "ImageId", "Bucket", "Key", "VersionId", "Version", "Lease", "ETag", "Sequencer", "Size", "UploadedAt", "Status", "Labels",
    "Moderation", "Text", "MatchedRules", "ExecutionArn",
)  # fmt: skip
_NAMES = {f"#{name}": name for name in _READ}
_IN_TIME = "#Status = :analyzed AND attribute_exists(#Lease) AND #UploadedAt >= :since AND #UploadedAt < :until"
_AS_READ = "#Version = :version AND #Lease = :lease AND #Status = :analyzed"


@dataclass(frozen=True)
class Piece:
    """Items as DynamoDB gave them, and the cursor behind them: None at the table's end."""

    items: list[Item]
    cursor: dict[str, str] | None


def read(run: Run, cursor: Mapping[str, str] | None) -> Piece:
    """The next records that the run covers, in the table's order, which has nothing to do with time.

    Whatever the run covers, DynamoDB reads (and charges) each record whole, and at most 1 MB or PIECE of them at a time: a piece
    can be empty, and the table go on. The reading is eventually consistent; `rewrite` finds out what it missed.
    """
    start = {"ExclusiveStartKey": to_item(cursor)} if cursor else {}
    with translated():
        page = client("dynamodb").scan(
            TableName=setting("IMAGES_TABLE"),
            Limit=PIECE,
            FilterExpression=_IN_TIME,
            ProjectionExpression=", ".join(_NAMES),
            ExpressionAttributeNames=_NAMES,
            ExpressionAttributeValues=to_item({":analyzed": "ANALYZED", ":since": run.since, ":until": run.until}),
            **start,
        )
    return Piece(page["Items"], from_item(page["LastEvaluatedKey"]) if "LastEvaluatedKey" in page else None)


def rewrite(item: Item, matched_rules: Sequence[Mapping[str, Any]]) -> Item | None:
    """Writes MatchedRules, if the record is the same lease's as in `item` and nobody has changed them since it was read.

    Returns None when that is done; otherwise the item as it is now, empty when it is gone.
    """
    values = to_item({":analyzed": "ANALYZED", ":matched": list(matched_rules)})
    values |= {":version": item["Version"], ":lease": item["Lease"]}
    unchanged = "attribute_not_exists(#MatchedRules)"
    if "MatchedRules" in item:
        unchanged, values[":read"] = "#MatchedRules = :read", item["MatchedRules"]
    try:
        with translated():
            client("dynamodb").update_item(
                TableName=setting("IMAGES_TABLE"),
                Key={"ImageId": item["ImageId"]},
                UpdateExpression="SET #MatchedRules = :matched",
                ConditionExpression=f"{_AS_READ} AND {unchanged}",
                ExpressionAttributeNames={name: _NAMES[name] for name in ("#Version", "#Lease", "#Status", "#MatchedRules")},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        return refused_item(error)
    return None
