"""The images that a viewer may see: operators see all, everyone else their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewatch.api.viewer import Viewer
from imagewatch.aws.tables import image_items
from imagewatch.images.version import owner_of

Record = dict[str, Any]


def records(viewer: Viewer, image_ids: Sequence[str]) -> dict[str, Record]:
    """The records of these images by their ids, in the given order, without those that the viewer may not see."""
    found = image_items.several(image_ids) if len(image_ids) > 1 else _one(image_ids)
    return {one: found[one] for one in image_ids if one in found and may_see(viewer, found[one])}


def may_see(viewer: Viewer, record: Mapping[str, Any]) -> bool:
    """Whether the viewer may see, delete and re-analyse the image."""
    return viewer.is_operator or owner_of(record["Key"]) == viewer.sub


def _one(image_ids: Sequence[str]) -> dict[str, Record]:
    """With a strongly consistent read, so that an image is shown as soon as its upload is."""
    return {image_id: record for image_id in image_ids if (record := image_items.one(image_id))}
