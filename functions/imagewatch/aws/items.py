"""DynamoDB's item format and back: the only place where numbers are Decimals, and where expressions are built."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

Item = dict[str, Any]

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> Item:
    """Plain values as a DynamoDB item."""
    return {name: _serializer.serialize(_decimals(value)) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A DynamoDB item as plain values; numbers become int or float."""
    return {name: _numbers(_deserializer.deserialize(value)) for name, value in item.items()}


def set_expression(values: Mapping[str, Any]) -> tuple[str, dict[str, str], Item]:
    """("SET #Name = :Name, ...", attribute names, attribute values) for an update; many names are reserved words."""
    clause = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    return clause, {f"#{name}": name for name in values}, {f":{name}": v for name, v in to_item(values).items()}


def _decimals(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {key: _decimals(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_decimals(inner) for inner in value]
    return value


def _numbers(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbers(inner) for inner in value]
    return value
