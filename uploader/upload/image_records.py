"""Reads the records of images, as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH_SIZE = 100
"""The most keys that one BatchGetItem takes (DynamoDB API reference)."""

_FIELDS = ("ImageId", "VersionId", "Status", "Reason", "Labels", "Moderation", "MatchedRules", "ExecutionArn")

Record = Mapping[str, Any]


class ImageRecords:
    """The images table of a stack, read only. Raises what boto3 raises."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table
        self._deserialize = TypeDeserializer().deserialize

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
        return [{name: plain(self._deserialize(value)) for name, value in item.items()} for item in items]


def plain(value: object) -> Any:
    """A value from DynamoDB as JSON can say it: Decimal becomes int or float, a set a sorted list."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(inner) for inner in value)
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value
