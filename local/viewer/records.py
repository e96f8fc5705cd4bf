"""Reads the image records as JSON: pages of cards with the newest first, and complete records.

The owners are the folders below `uploads/`. A page merges the newest images of each owner, with one query of the index BySource
for each owner, and doesn't read the whole table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer

from imagewatch.decimals import from_decimals
from local.viewer.stack import Stack

MAX_PAGE_SIZE = 300
OWNERS_CACHE_SECONDS = 4
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
    "Coverage",
    "Width",
    "Height",
    "UploadedAt",
    "AnalyzedAt",
    "RulesOmitted",
)
_FOR_A_CARD = (*_IN_A_CARD, "Labels", "Moderation", "MatchedRules")


class Position(NamedTuple):
    """The position of an image in the order by upload time and id, both descending."""

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
        """At most `limit` cards, newest first, and the position of the last one, or None if no more follow."""
        limit = max(1, min(limit, MAX_PAGE_SIZE))
        positions = sorted((p for owner in self._all_owners() for p in self._newest(owner, limit + 1, after)), reverse=True)
        wanted = positions[:limit]
        records = self._read([position.image_id for position in wanted])
        cards = [card(records[position.image_id]) for position in wanted if position.image_id in records]
        return cards, wanted[-1] if len(positions) > limit else None

    def one(self, image_id: str) -> dict[str, Any] | None:
        """The complete record as JSON values, or None if there is no such image."""
        answer = self._stack.client("dynamodb").get_item(
            TableName=self._table, Key={"ImageId": {"S": image_id}}, ConsistentRead=True
        )
        return _record(answer["Item"]) if "Item" in answer else None

    def total(self) -> int:
        """The table's item count. On AWS it is up to six hours old."""
        return int(self._stack.client("dynamodb").describe_table(TableName=self._table)["Table"].get("ItemCount", 0))

    @property
    def _table(self) -> str:
        return self._stack.outputs["ImagesTableName"]

    def _all_owners(self) -> list[str]:
        if self._clock() - self._owners_read_at >= OWNERS_CACHE_SECONDS:
            pages = self._stack.client("s3").get_paginator("list_objects_v2")
            found = [DIRECTLY_UNDER_UPLOADS]
            for page in pages.paginate(Bucket=self._stack.outputs["ImagesBucketName"], Prefix=UPLOADS, Delimiter="/"):
                found += [p["Prefix"].removeprefix(UPLOADS).rstrip("/") for p in page.get("CommonPrefixes", [])]
            self._owners = list(dict.fromkeys(owner for owner in found if owner))
            self._owners_read_at = self._clock()
        return self._owners

    def _newest(self, owner: str, limit: int, after: Position | None) -> list[Position]:
        """The newest `limit` images of one owner, and all with the upload time of the last one: their order is undefined."""
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
            IndexName="BySource",
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#owner": "Source"},
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


def card(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the gallery shows of a record."""
    shown = {name: record[name] for name in _IN_A_CARD if name in record}
    labels = sorted(record.get("Labels") or [], key=lambda label: -label.get("Confidence", 0))
    shown["BestLabels"] = [{"Name": one["Name"], "Confidence": one["Confidence"]} for one in labels[:BEST_LABELS]]
    moderation = record.get("Moderation") or {}
    if moderation:
        shown["Moderation"] = {
            "Status": moderation.get("Status"),
            "Labels": [label["Name"] for label in moderation.get("Labels") or []],
            **({"Scope": moderation["Scope"]} if moderation.get("Scope") else {}),
        }
    shown["MatchedRules"] = [_rule_name(rule) for rule in record.get("MatchedRules") or []]
    return shown


_deserialize = TypeDeserializer().deserialize


def _record(item: dict[str, Any]) -> dict[str, Any]:
    return {name: from_decimals(_deserialize(value)) for name, value in item.items()}


def _rule_name(rule: dict[str, Any]) -> str:
    """The rule's name; a muted rule, which sends no alert, is marked."""
    return f"{rule.get('Name', '')} (muted)" if rule.get("Muted") else str(rule.get("Name", ""))
