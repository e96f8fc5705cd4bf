"""The LabelIndexTable: label -> images. One row for each label of each image, so that a search reads a page and never scans."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import to_item
from imagewatch.aws.settings import setting
from imagewatch.errors import Throttled
from imagewatch.images.version import ImageVersion

_BATCH = 25  # rows that BatchWriteItem takes
_ATTEMPTS = 4


def position(image: ImageVersion) -> str:
    """Where the version's rows stand under each label: by time, then by image, version and lease."""
    return f"{image.uploaded_at}#{image.image_id}#{image.edition}"


def rows(image: ImageVersion, labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows for an image's labels. Two names that differ only in case share a row: the surer one's."""
    by_name: dict[str, dict[str, Any]] = {}
    for label in sorted(labels, key=lambda label: float(label["Confidence"])):
        by_name[label["Name"].casefold()] = {
            "Label": label["Name"].casefold(),
            "TimeImage": position(image),
            "Name": label["Name"],
            "Confidence": label["Confidence"],
            "ImageId": image.image_id,
            "Owner": image.source,
        }
    return list(by_name.values())


def put(entries: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows; idempotent."""
    _write([{"PutRequest": {"Item": to_item(entry)}} for entry in entries])


def delete(belongings: Mapping[str, Any]) -> None:
    """Deletes the rows of {Position, Labels}, as a record lists them; idempotent."""
    _write(
        [
            {"DeleteRequest": {"Key": to_item({"Label": label, "TimeImage": belongings["Position"]})}}
            for label in belongings["Labels"]
        ]
    )


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
            time.sleep(0.05 * 2**attempt)
        else:
            raise Throttled(f"{table} left {len(remaining)} rows unwritten after {_ATTEMPTS} attempts.")


def _batches(requests: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(requests), _BATCH):
        yield list(requests[start : start + _BATCH])
