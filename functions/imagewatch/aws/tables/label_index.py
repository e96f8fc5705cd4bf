"""The LabelIndexTable: one row for each label of each image, so that a search reads one page and never scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import to_item
from imagewatch.aws.settings import setting
from imagewatch.errors import Throttled
from imagewatch.images.record import Artifacts
from imagewatch.images.version import ImageVersion

_BATCH = 25  # rows in one BatchWriteItem
_ATTEMPTS = 4


def rows(image: ImageVersion, labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows for an image's labels. Names that differ only in case share a row, with the highest confidence."""
    by_name: dict[str, dict[str, Any]] = {}
    for label in sorted(labels, key=lambda label: float(label["Confidence"])):
        by_name[label["Name"].casefold()] = {
            "Label": label["Name"].casefold(),
            "TimeImage": image.index_position,
            "Name": label["Name"],
            "Confidence": label["Confidence"],
            "ImageId": image.image_id,
            "Owner": image.source,
        }
    return list(by_name.values())


def put(entries: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows; idempotent."""
    _write([{"PutRequest": {"Item": to_item(entry)}} for entry in entries])


def delete(artifacts: Artifacts) -> None:
    """Deletes the rows that a record lists for a lease; idempotent."""
    _write([{"DeleteRequest": {"Key": to_item({"Label": label, "TimeImage": artifacts.position})}} for label in artifacts.labels])


def _write(requests: Sequence[dict[str, Any]]) -> None:
    table = setting("LABEL_INDEX_TABLE")
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
