"""The SearchIndexTable: the rows by which images are found, and the marks of images whose counts have to be updated.

Keys: `Posting` names a list (a term for a viewer in one order, or one of the lists of the counts), `Position` the place in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import to_item
from imagewatch.aws.settings import setting
from imagewatch.errors import Throttled
from imagewatch.search.postings import IndexedRow, Key

CHANGED = "changed"
"""The list of images whose counts have to be updated."""

_BATCH = 25  # writes in one BatchWriteItem
_ATTEMPTS = 6


def put(rows: Sequence[IndexedRow]) -> None:
    """Writes rows; idempotent."""
    write_items([{**_key(row.key), "Minute": row.minute_of_day, "Terms": row.terms} for row in rows])


def delete(keys: Collection[Key]) -> None:
    """Deletes rows; idempotent."""
    _write([{"DeleteRequest": {"Key": to_item(_key(key))}} for key in keys])


def mark_changed(image_id: str, **attributes: Any) -> None:
    """Asks for an update of the counts of an image. The random token shows whether the mark was renewed since it was read."""
    item = {**_key((CHANGED, image_id)), "Token": secrets.token_hex(8), "MarkedAt": timestamps.milliseconds(), **attributes}
    with translated():
        client("dynamodb").put_item(TableName=setting("SEARCH_INDEX_TABLE"), Item=to_item(item))


def write_items(items: Sequence[dict[str, Any]]) -> None:
    """Writes whole items of the table, in plain values; idempotent."""
    _write([{"PutRequest": {"Item": to_item(item)}} for item in items])


def _key(key: Key) -> dict[str, str]:
    return {"Posting": key[0], "Position": key[1]}


def _write(requests: Sequence[dict[str, Any]]) -> None:
    table = setting("SEARCH_INDEX_TABLE")
    for batch in _batches(requests):
        remaining = batch
        for attempt in range(_ATTEMPTS):
            with translated():
                answer = client("dynamodb").batch_write_item(RequestItems={table: remaining})
            remaining = answer.get("UnprocessedItems", {}).get(table, [])
            if not remaining:
                break
            timestamps.pause(0.05 * 2**attempt)
        else:
            raise Throttled(f"{table} left {len(remaining)} rows unwritten after {_ATTEMPTS} attempts.")


def _batches(requests: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(requests), _BATCH):
        yield list(requests[start : start + _BATCH])
