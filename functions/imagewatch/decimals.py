"""Numbers as DynamoDB stores them. boto3 gives Decimals and refuses floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def to_decimals(value: Any) -> Any:
    """The value with Decimals in place of floats, at any depth."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {key: to_decimals(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_decimals(inner) for inner in value]
    return value


def from_decimals(value: Any) -> Any:
    """The value with int or float in place of Decimals, and sorted lists in place of sets, at any depth.

    Sets of binary values stay as they are: boto3's Binary has no order.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {key: from_decimals(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        plain = [from_decimals(inner) for inner in value]
        return sorted(plain) if all(isinstance(inner, str | int | float) for inner in plain) else value
    if isinstance(value, list):
        return [from_decimals(inner) for inner in value]
    return value
