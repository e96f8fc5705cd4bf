"""How an image's record, index rows and renditions change together, in an order that a retry heals after a crash anywhere.

The record is written first and lists what belongs to it; rows follow; what is stale goes last. So whatever exists outside the
record can always be found from the record, and is either completed or cleared away by running the same step again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewatch.aws import s3 as objects
from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables import label_index
from imagewatch.aws.tables.images import LeaseResult, Record
from imagewatch.errors import Unavailable
from imagewatch.images.version import ImageVersion


def acquire_lease(
    image: ImageVersion, attributes: Mapping[str, Any], *, by_removal: bool = False
) -> tuple[LeaseResult, ImageVersion]:
    """Makes the image visible as ANALYZING with these attributes, unless its record is this version's or answers a newer event.

    Returns the version as the record has it, which can be by another lease than this one. `by_removal`: this version was found in
    S3 after a removal. Raises Unavailable when such a version is being analysed: that analysis may have met the image removed and
    be about to take the record away, so the event must come again when it has ended.
    """
    current, attributes = by_removal, {**attributes, "ExposedByRemoval": by_removal}
    while True:
        verdict, record = images_table.acquire_lease(image, attributes, _belongings(image), current=current)
        if (
            verdict is LeaseResult.SUPERSEDED
            and not current
            and record["LastEvent"] <= image.sequencer
            and objects.is_current(image)
        ):
            current = True
            continue
        if verdict not in (LeaseResult.HELD, LeaseResult.FINISHED):
            return verdict, image
        holder = ImageVersion.from_state(record)
        if record["LastEvent"] >= image.sequencer:
            return verdict, holder
        if by_removal and verdict is LeaseResult.HELD:
            raise Unavailable("A removal has left a version in place that is still being analysed; it is looked at again later.")
        if images_table.confirm(holder, image.sequencer):
            return verdict, holder


def store(image: ImageVersion, attributes: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> bool:
    """Ends a lease's analysis with findings: these attributes, and an index row for each label.

    False when a newer lease or a removal has taken the record over: then this one leaves nothing behind.
    """
    indexed = [row["Label"] for row in label_index.rows(image, labels)]
    belongings = _belongings(image, indexed)
    record = images_table.update_if_owner(image, {**attributes, "Labels": labels}, indexed)
    if record:
        return complete(image, record)
    return _leave(image, belongings)


def complete(image: ImageVersion, record: Record) -> bool:
    """Makes everything else agree with a record that says how its lease ended; False when it has been taken over meanwhile."""
    rows = label_index.rows(image, record.get("Labels", []))
    label_index.put(rows)
    # A removal may have come between the record and its rows: so look once more, and take the rows back if it has.
    if _settle(image, record):
        return True
    return _leave(image, _belongings(image, [row["Label"] for row in rows]))


def end(image: ImageVersion, attributes: Mapping[str, Any]) -> bool:
    """Ends a lease's analysis without findings (rejected, failed); False when the record is no longer this lease's."""
    record = images_table.update_if_owner(image, attributes)
    if record and _settle(image, record):
        return True
    return _leave(image, _belongings(image))


def is_ours(image: ImageVersion) -> bool:
    """Whether the record is this lease's still."""
    return images_table.belongs_to(image, images_table.read(image.image_id))


def forget(removal: ImageVersion) -> bool:
    """Removes an image's record, index rows and renditions; False when there is no record that the removal concerns."""
    return _remove(images_table.begin_removal(removal))


def withdraw(image: ImageVersion) -> bool:
    """Ends a lease whose version is gone, so that nothing is left of it; False when the record is no longer this lease's."""
    if _remove(images_table.begin_withdrawal(image)):
        return True
    return _leave(image, _belongings(image))


def _remove(record: Record | None) -> bool:
    if record is None:
        return False
    for belongings in [*record["Stored"], *record.get("Stale", [])]:
        _clear(belongings)
    images_table.remove(record)
    return True


def _settle(image: ImageVersion, record: Mapping[str, Any]) -> bool:
    """Clears away what older claims left behind; False when the record has been taken over meanwhile."""
    for old in images_table.left_behind(record):
        _clear(old)
    if record.get("Stale"):
        return images_table.settle(image)
    return is_ours(image)


def _belongings(image: ImageVersion, labels: Sequence[str] = ()) -> dict[str, Any]:
    """Everything outside the record that exists, or may exist, for a lease."""
    return {
        "Edition": image.edition,
        "Position": label_index.position(image),
        "Labels": list(labels),
        "Renditions": image.rendition_keys,
    }


def _leave(image: ImageVersion, belongings: Mapping[str, Any]) -> bool:
    """Leaves nothing of a lease that has lost the record; False, as what its caller was asked to do is not done."""
    _clear(belongings)
    while listed := images_table.stale_of(image):
        place, stored = listed
        _clear(stored)  # it knows of more where this lease's analysis had ended before
        if images_table.strike_off(image, place):
            break
    return False


def _clear(belongings: Mapping[str, Any]) -> None:
    label_index.delete(belongings)
    objects.delete_renditions(belongings["Renditions"])
