"""Reads the records of images, as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from uploader.aws.dynamodb import BATCH_SIZE, from_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FIELDS = ("ImageId", "VersionId", "Status", "Reason", "Labels", "Moderation", "MatchedRules", "RulesOmitted", "ExecutionArn")

Record = Mapping[str, Any]


class ImageRecords:
    """The images table of a stack, read only. Raises what boto3 raises."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table

    def read(self, image_ids: Sequence[str]) -> dict[str, Record]:
        """The records that exist, by ImageId. One that DynamoDB didn't return this time is missing; the caller reads again."""
        found: dict[str, Record] = {}
        for start in range(0, len(image_ids), BATCH_SIZE):
            for record in self._read_batch(image_ids[start : start + BATCH_SIZE]):
                found[record["ImageId"]] = record
        return found

    def _read_batch(self, image_ids: Sequence[str]) -> list[Record]:
        names = {f"#{number}": name for number, name in enumerate(_FIELDS)}
        answer = self._dynamodb.batch_get_item(
            RequestItems={
                self._table: {
                    "Keys": [{"ImageId": {"S": image_id}} for image_id in image_ids],
                    "ProjectionExpression": ", ".join(names),
                    "ExpressionAttributeNames": names,  # Status is a reserved word
                }
            }
        )
        items = answer["Responses"].get(self._table, [])
        return [from_item(item) for item in items]
