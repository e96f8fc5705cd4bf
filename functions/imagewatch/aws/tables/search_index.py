"""The SearchIndexTable: the rows by which images are found, and the marks of images whose counts have to be updated.

Keys: `Posting` names a list (a term for a viewer in one order, or one of the lists of the counts), `Position` the place in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import conditional_update, from_item, to_item
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


def mark_changed(image_id: str, *, rows_after: int | None = None) -> None:
    """Asks Index Changes to update the counts of an image. The random token shows whether the mark was renewed since it was read.

    `rows_after`: the caller is about to change the record and may crash before its rows follow. From that moment on
    (milliseconds since the epoch), when the caller can't run any more, Index Changes writes the rows too.
    """
    update = "SET #Token = :token"
    values: dict[str, Any] = {":token": secrets.token_hex(8)}
    if rows_after is not None:
        update, values[":after"] = f"{update}, #RowsAfter = :after", rows_after
    conditional_update(setting("SEARCH_INDEX_TABLE"), _key((CHANGED, image_id)), update, "", values, returns="NONE")


def query(wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The items that a Query with these parameters finds, as plain values, page by page."""
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").query(TableName=setting("SEARCH_INDEX_TABLE"), **wanted, **start)
        yield from map(from_item, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


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
