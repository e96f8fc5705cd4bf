"""Reads the search index and the image records of a deployment."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uploader.aws.dynamodb import fetch, from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CURSOR_KEY = {"Posting": "secret", "Position": "cursors"}
_KEY_BYTES = 32


@dataclass(frozen=True)
class TableReader:
    """The `imagewatch.search.library.IndexReader` of a client. It raises what boto3 raises."""

    dynamodb: DynamoDBClient
    index_table: str
    images_table: str

    def query(
        self, posting: str, first: str, last: str, *, ascending: bool = True, portion: int | None = None
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Pages of the items of a posting whose positions lie between two, both included; `portion` items on each page."""
        request: dict[str, Any] = {
            "TableName": self.index_table,
            "KeyConditionExpression": "Posting = :posting AND #position BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#position": "Position"},
            "ExpressionAttributeValues": to_item({":posting": posting, ":first": first, ":last": last}),
            "ScanIndexForward": ascending,
            **({"Limit": portion} if portion else {}),
        }
        while True:
            page = self.dynamodb.query(**request)
            yield [from_item(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def items(self, keys: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, Any]]:
        """The existing items of the index with these keys (Posting, Position)."""
        return list(fetch(self.dynamodb, self.index_table, keys))

    def records(self, image_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The existing records of these images."""
        return list(fetch(self.dynamodb, self.images_table, [{"ImageId": image_id} for image_id in image_ids], consistent=True))

    def cursor_key(self) -> bytes:
        """The key that signs cursors: the deployment's, so that a cursor is good on another machine. The first use makes it."""
        found = self.items([_CURSOR_KEY])
        if found:
            return bytes.fromhex(found[0]["Secret"])
        answer = self.dynamodb.update_item(
            TableName=self.index_table,
            Key=to_item(_CURSOR_KEY),
            UpdateExpression="SET #Secret = if_not_exists(#Secret, :made)",
            ExpressionAttributeNames={"#Secret": "Secret"},
            ExpressionAttributeValues=to_item({":made": secrets.token_hex(_KEY_BYTES)}),
            ReturnValues="ALL_NEW",
        )
        return bytes.fromhex(from_item(answer["Attributes"])["Secret"])
