"""Calculates what DynamoDB charges for a read or a write: sizes of items and the rounding of request units.

Source: "DynamoDB item sizes and formats" and "DynamoDB throughput capacity" in its developer guide, read 2026-11-20.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from typing import Any

WRITE_UNIT = 1024  # bytes of an item that one write request unit covers
READ_UNIT = 4096  # bytes that one strongly consistent read request unit covers
STORED_OVERHEAD = 100  # bytes that storage adds to each item

Item = Mapping[str, Mapping[str, Any]]


def item_size(item: Item) -> int:
    """Bytes of an item in wire form, attribute names included."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def write_units(before: int, after: int) -> int:
    """Units of one put, update or delete between two sizes (0 = no item). The larger size counts; the minimum is 1.

    A write whose condition fails costs the same as one that succeeds.
    """
    return max(1, math.ceil(max(before, after) / WRITE_UNIT))


def read_units(sizes: Iterable[int], *, consistent: bool) -> float:
    """Units of one request that reads items (GetItem, Query, Scan). The sum of sizes is rounded up; the minimum is 1 or 0.5."""
    units = max(1, math.ceil(sum(sizes) / READ_UNIT))
    return float(units) if consistent else units / 2


def index_write_units(before: Item | None, after: Item | None, keys: Iterable[str]) -> int:
    """Units of updating one global secondary index, given what it projects of the item before and after.

    An unchanged projection costs nothing. A changed key costs a deletion and a put.
    """
    if before == after:
        return 0
    sizes = [item_size(entry) for entry in (before, after) if entry is not None]
    if before and after and any(before.get(key) != after.get(key) for key in keys):
        return sum(write_units(0, size) for size in sizes)
    return write_units(0, max(sizes))


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _value_size(element) for element in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(element) for name, element in content.items())
        case "SS":
            return sum(len(element.encode()) for element in content)
        case "B":
            return _bytes(content)
        case "BS":
            return sum(map(_bytes, content))
        case "NS":
            return sum(_number_size(element) for element in content)
    raise ValueError(f"The size of the type {kind} is not implemented.")


def _number_size(text: str) -> int:
    """One byte for every two significant digits, one more, and one for the sign."""
    digits = text.lower().split("e")[0].lstrip("-").replace(".", "").strip("0")
    return math.ceil(len(digits) / 2) + 1 + text.startswith("-")


def _bytes(content: str | bytes) -> int:
    """The length of a binary value: base64 as it is on the wire, or the bytes themselves."""
    return len(base64.b64decode(content)) if isinstance(content, str) else len(content)
