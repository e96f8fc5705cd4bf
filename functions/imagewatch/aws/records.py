"""How an image's record, index rows and renditions change together, in an order that a retry heals after a crash anywhere.

The record is written first and lists what belongs to it; rows follow; what is stale goes last. So whatever exists outside the
record can always be found from the record, and is either completed or cleared away by running the same step again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewatch.aws import images_table, label_index, objects
from imagewatch.aws.images_table import Claim
from imagewatch.images import ImageVersion


def claim(image: ImageVersion, attributes: Mapping[str, Any]) -> Claim:
    """Makes the image visible as ANALYZING with these attributes, unless a newer version has its record."""
    return images_table.claim(image, attributes, _belongings(image))


def store(image: ImageVersion, attributes: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> bool:
    """Ends a version's analysis with findings: these attributes, and an index row for each label.

    False when a newer version or a removal has taken the record over: then this version leaves nothing behind.
    """
    rows = label_index.rows(image, labels)
    indexed = [row["Label"] for row in rows]
    belongings = _belongings(image, indexed)
    record = images_table.conclude(image, attributes, indexed)
    if record:
        label_index.put(rows)
    # A removal may have come between the record and its rows: so look once more, and take the rows back if it has.
    if record and _settle(image, record):
        return True
    _clear(belongings)
    return False


def end(image: ImageVersion, attributes: Mapping[str, Any]) -> bool:
    """Ends a version's analysis without findings (rejected, failed); False when the record is no longer this version's."""
    record = images_table.conclude(image, attributes)
    if record and _settle(image, record):
        return True
    _clear(_belongings(image))
    return False


def forget(removal: ImageVersion, *, only_version: bool = False) -> bool:
    """Removes an image's record, index rows and renditions; False when there is no record that the removal concerns."""
    record = images_table.begin_removal(removal, only_version=only_version)
    if record is None:
        return False
    for belongings in [*record["Stored"], *record.get("Stale", [])]:
        _clear(belongings)
    images_table.remove(removal)
    return True


def _settle(image: ImageVersion, record: Mapping[str, Any]) -> bool:
    """Clears away what older versions left behind; False when the record has been taken over meanwhile."""
    stale = record.get("Stale", [])
    for old in stale:
        _clear(old)
    return images_table.settle(image) if stale else images_table.belongs_to(image)


def _belongings(image: ImageVersion, labels: Sequence[str] = ()) -> dict[str, Any]:
    """Everything outside the record that exists, or may exist, for a version."""
    return {"Position": label_index.position(image), "Labels": list(labels), "Renditions": image.rendition_keys}


def _clear(belongings: Mapping[str, Any]) -> None:
    label_index.delete(belongings)
    objects.delete_renditions(belongings["Renditions"])
