"""Reads the stored findings of all images: the whole images table, with parallel scans.

boto3 takes 4 ms to parse a record of 17 KB, which is minutes for a large table. To read the responses as JSON, with the garbage
collector idle, takes a sixth of that.
"""

from __future__ import annotations

import gc
import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from imagewatch.rules.preview import Page
from uploader.aws.errors import AWS_ERRORS, aws_call, explain
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError

SEGMENTS = 4  # scanned in parallel, so that a page is ready while the next ones are being read
_FIELDS = ("Bucket", "Key", "VersionId", "UploadedAt", "Labels", "Moderation", "Text")
_READ_UNIT = 8192  # bytes for half a unit of 4 KB, twice: reads are eventually consistent


@dataclass(frozen=True)
class Size:
    """The size of the table according to DynamoDB, which updates it every six hours."""

    images: int
    bytes: int

    @property
    def read_units(self) -> int:
        return -(-self.bytes // _READ_UNIT)


class StoredImages:
    """The images table of a stack. Every method raises CommandError, with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws = aws
        (self._table,) = find_outputs(aws, stack, "ImagesTableName")

    def size(self) -> Size:
        with aws_call("ask for the table's size (dynamodb:DescribeTable)"):
            table = self._aws.dynamodb.describe_table(TableName=self._table)["Table"]
        return Size(int(table.get("ItemCount", 0)), int(table.get("TableSizeBytes", 0)))

    def pages(self, since: str, until: str) -> Iterator[Page]:
        """All analysed images with since <= UploadedAt < until, page by page, in no particular order."""
        pages: queue.Queue[Page | Exception | None] = queue.Queue(maxsize=2 * SEGMENTS)
        ended = threading.Event()
        client = self._aws.new_dynamodb()
        client.meta.events.register("before-parse.dynamodb.Scan", _read_as_json)
        arguments = (client, self._arguments(since, until), pages, ended)
        threads = [
            threading.Thread(target=_read_segment, args=(*arguments, number), daemon=True, name=f"segment-{number}")
            for number in range(SEGMENTS)
        ]
        with _idle_garbage_collector():
            for thread in threads:
                thread.start()
            try:
                yield from _pages_of_all(pages)
            finally:
                ended.set()
                _let_threads_end(threads, pages)

    def _arguments(self, since: str, until: str) -> dict[str, Any]:
        names = {f"#{name}": name for name in (*_FIELDS, "Status")}
        return {
            "TableName": self._table,
            "ProjectionExpression": ", ".join(f"#{name}" for name in _FIELDS),
            "FilterExpression": "#Status = :analyzed AND #UploadedAt >= :since AND #UploadedAt < :until",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":analyzed": {"S": "ANALYZED"}, ":since": {"S": since}, ":until": {"S": until}},
            "TotalSegments": SEGMENTS,
        }


def _read_segment(
    client: Any, arguments: Mapping[str, Any], pages: queue.Queue[Any], ended: threading.Event, number: int
) -> None:
    start: dict[str, Any] = {}
    try:
        while not ended.is_set():
            answer = client.scan(**arguments, Segment=number, **start)
            records = [{name: _plain(value) for name, value in item.items()} for item in answer["Items"]]
            pages.put(Page(records, int(answer["ScannedCount"])))
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    except Exception as error:  # noqa: BLE001 - it is raised again in the thread that takes the pages
        pages.put(error)
    finally:
        pages.put(None)


def _pages_of_all(pages: queue.Queue[Page | Exception | None]) -> Iterator[Page]:
    reading = SEGMENTS
    while reading:
        page = pages.get()
        if page is None:
            reading -= 1
        elif isinstance(page, Page):
            yield page
        elif isinstance(page, AWS_ERRORS):
            raise CommandError(explain(page, "read the images (dynamodb:Scan)").text) from page
        else:
            raise page


def _let_threads_end(threads: Sequence[threading.Thread], pages: queue.Queue[Any]) -> None:
    """Lets threads end that wait for space in the queue. It doesn't wait for threads that wait for a response."""
    deadline = time.monotonic() + 1
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        while not pages.empty():
            pages.get_nowait()
        time.sleep(0.01)


def _read_as_json(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Handles botocore's event before it parses a response: parses it as JSON and leaves nothing to parse."""
    if response_dict["status_code"] == 200:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


def _plain(value: Mapping[str, Any]) -> Any:
    """A value in DynamoDB's JSON as a plain value."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return float(inner)
    if kind == "M":
        return {name: _plain(one) for name, one in inner.items()}
    if kind == "L":
        return [_plain(one) for one in inner]
    return None if kind == "NULL" else inner


@contextmanager
def _idle_garbage_collector() -> Iterator[None]:
    """Makes the garbage collector idle: records are many small objects without cycles."""
    was = gc.get_threshold()
    gc.set_threshold(1_000_000, *was[1:])
    try:
        yield
    finally:
        gc.set_threshold(*was)
