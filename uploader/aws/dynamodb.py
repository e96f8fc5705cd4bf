"""DynamoDB for commands: plain values to items and back, and reads of many items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from imagewatch.decimals import from_decimals, to_decimals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH_SIZE = 100
"""The largest number of keys in a BatchGetItem (DynamoDB API reference)."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as an item."""
    return {name: _serialize(to_decimals(value)) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as plain values."""
    return {name: from_decimals(_deserialize(value)) for name, value in item.items()}


def scan(dynamodb: DynamoDBClient, table: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Every item of a table, page by page."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, **arguments):
        yield from (from_item(item) for item in page["Items"])


def fetch(
    dynamodb: DynamoDBClient, table: str, keys: Sequence[Mapping[str, Any]], *, consistent: bool = False
) -> Iterator[dict[str, Any]]:
    """The existing items with these keys, in no particular order; `consistent` reads cost twice as much."""
    for start in range(0, len(keys), BATCH_SIZE):
        wanted: Any = {table: {"Keys": [to_item(key) for key in keys[start : start + BATCH_SIZE]], "ConsistentRead": consistent}}
        while wanted:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
            yield from (from_item(item) for item in answer["Responses"].get(table, []))
            wanted = answer.get("UnprocessedKeys")
