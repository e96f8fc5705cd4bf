"""What the tables say about images, as plain JSON: the newest first, and one in full.

Newest first over all owners, without reading the whole table: the owners are the folders below `uploads/`, and the
index ByOwner is asked for the newest of each. A page costs one query for each owner, however many images there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer

from local.viewer.stack import Stack
from uploader.upload.image_records import plain

LONGEST_PAGE = 300
SECONDS_BETWEEN_LOOKS_AT_OWNERS = 4
UPLOADS = "uploads/"
DIRECTLY_UNDER_UPLOADS = "uploads"
BEST_LABELS = 5
_IN_A_CARD = (
    "ImageId",
    "Key",
    "Version",
    "Status",
    "Reason",
    "Source",
    "Thumbnail",
    "Conversion",
    "Width",
    "Height",
    "UploadedAt",
    "AnalyzedAt",
)
_FOR_A_CARD = (*_IN_A_CARD, "Labels", "Moderation", "MatchedRules")


class Position(NamedTuple):
    """Where a page ends: images are ordered by upload time and then by id, both descending."""

    uploaded_at: str
    image_id: str


class ImageRecords:
    """Reads the ImagesTable."""

    def __init__(self, stack: Stack, clock: Callable[[], float] = time.monotonic) -> None:
        self._stack = stack
        self._clock = clock
        self._owners: list[str] = []
        self._owners_read_at = float("-inf")

    def page(self, limit: int, after: Position | None = None) -> tuple[list[dict[str, Any]], Position | None]:
        """At most `limit` cards, newest first, and the position to go on from (None: that was all)."""
        limit = max(1, min(limit, LONGEST_PAGE))
        positions = sorted((p for owner in self._all_owners() for p in self._newest(owner, limit + 1, after)), reverse=True)
        wanted = positions[:limit]
        records = self._read([position.image_id for position in wanted])
        cards = [_card(records[position.image_id]) for position in wanted if position.image_id in records]
        return cards, wanted[-1] if len(positions) > limit else None

    def one(self, image_id: str) -> dict[str, Any] | None:
        """The whole record as JSON values, or None where there is no such image."""
        answer = self._stack.client("dynamodb").get_item(
            TableName=self._table, Key={"ImageId": {"S": image_id}}, ConsistentRead=True
        )
        return _record(answer["Item"]) if "Item" in answer else None

    def total(self) -> int:
        """How many images the table says it holds; on AWS that count is up to six hours old."""
        return int(self._stack.client("dynamodb").describe_table(TableName=self._table)["Table"].get("ItemCount", 0))

    @property
    def _table(self) -> str:
        return self._stack.outputs["ImagesTableName"]

    def _all_owners(self) -> list[str]:
        if self._clock() - self._owners_read_at >= SECONDS_BETWEEN_LOOKS_AT_OWNERS:
            pages = self._stack.client("s3").get_paginator("list_objects_v2")
            found = [DIRECTLY_UNDER_UPLOADS]
            for page in pages.paginate(Bucket=self._stack.outputs["ImagesBucketName"], Prefix=UPLOADS, Delimiter="/"):
                found += [p["Prefix"].removeprefix(UPLOADS).rstrip("/") for p in page.get("CommonPrefixes", [])]
            self._owners = list(dict.fromkeys(owner for owner in found if owner))
            self._owners_read_at = self._clock()
        return self._owners

    def _newest(self, owner: str, limit: int, after: Position | None) -> list[Position]:
        """The newest `limit` of one owner, and with them all that share the last one's time, whose order is open."""
        found: list[Position] = []
        for position in self._descending(owner, after):
            if len(found) >= limit and position.uploaded_at != found[-1].uploaded_at:
                break
            if after is None or position < after:
                found.append(position)
        return found

    def _descending(self, owner: str, after: Position | None) -> Iterator[Position]:
        values = {":owner": {"S": owner}}
        condition = "#owner = :owner"
        if after:
            values[":time"] = {"S": after.uploaded_at}
            condition += " AND UploadedAt <= :time"
        pages = self._stack.client("dynamodb").get_paginator("query")
        for page in pages.paginate(
            TableName=self._table,
            IndexName="ByOwner",
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#owner": "Owner"},
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            PaginationConfig={"PageSize": 100},
        ):
            for item in page["Items"]:
                yield Position(item["UploadedAt"]["S"], item["ImageId"]["S"])

    def _read(self, image_ids: list[str]) -> dict[str, dict[str, Any]]:
        names = {f"#{name}": name for name in _FOR_A_CARD}
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(image_ids), 100):
            keys = [{"ImageId": {"S": image_id}} for image_id in image_ids[start : start + 100]]
            request: dict[str, Any] = {
                self._table: {
                    "Keys": keys,
                    "ProjectionExpression": ", ".join(names),
                    "ExpressionAttributeNames": names,
                }
            }
            while request:
                answer = self._stack.client("dynamodb").batch_get_item(RequestItems=request)
                for item in answer["Responses"].get(self._table, []):
                    record = _record(item)
                    found[record["ImageId"]] = record
                request = answer.get("UnprocessedKeys") or {}
        return found


def _card(record: dict[str, Any]) -> dict[str, Any]:
    card = {name: record[name] for name in _IN_A_CARD if name in record}
    labels = sorted(record.get("Labels") or [], key=lambda label: -label.get("Confidence", 0))
    card["BestLabels"] = [{"Name": one["Name"], "Confidence": one["Confidence"]} for one in labels[:BEST_LABELS]]
    moderation = record.get("Moderation") or {}
    if moderation:
        card["Moderation"] = {
            "Status": moderation.get("Status"),
            "Labels": [label["Name"] for label in moderation.get("Labels") or []],
        }
    card["MatchedRules"] = [rule.get("Name", "") for rule in record.get("MatchedRules") or []]
    return card


_deserialize = TypeDeserializer().deserialize


def _record(item: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(_deserialize(value)) for name, value in item.items()}
