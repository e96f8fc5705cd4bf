"""DynamoDB's item format for commands: plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from uploader.upload.image_records import BATCH_SIZE, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB wants them."""
    return {name: _serialize(_decimal(value)) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as plain values."""
    return {name: plain(_deserialize(value)) for name, value in item.items()}


def scan(dynamodb: DynamoDBClient, table: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Every item of a table, page by page."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, **arguments):
        yield from (from_item(item) for item in page["Items"])


def fetch(dynamodb: DynamoDBClient, table: str, keys: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items with these keys that there are, in no particular order."""
    for start in range(0, len(keys), BATCH_SIZE):
        wanted: Any = {table: {"Keys": [to_item(key) for key in keys[start : start + BATCH_SIZE]]}}
        while wanted:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
            yield from (from_item(item) for item in answer["Responses"].get(table, []))
            wanted = answer.get("UnprocessedKeys")


def _decimal(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: _decimal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_decimal(inner) for inner in value]
    return value
