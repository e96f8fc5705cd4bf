"""Reads whole records of the ImagesTable, as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import from_item, read_batch, to_item
from imagewatch.aws.settings import setting

Record = dict[str, Any]


def one(image_id: str) -> Record | None:
    """The record now (a strongly consistent read), or None. A record that is being removed counts as removed."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("IMAGES_TABLE"), Key=to_item({"ImageId": image_id}), ConsistentRead=True
        )
    record = from_item(answer.get("Item", {}))
    return record if "Lease" in record else None


def several(image_ids: Sequence[str]) -> dict[str, Record]:
    """The records of these images by their ids. Images without a record are left out, and those that are being removed."""
    found = read_batch(setting("IMAGES_TABLE"), [{"ImageId": image_id} for image_id in image_ids])
    return {record["ImageId"]: record for record in found if "Lease" in record}
