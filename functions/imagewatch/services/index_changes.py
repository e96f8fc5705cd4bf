"""Brings the counts of changed images up to date, and the rows of those whose writer has crashed.

A mark asks for each image. A fold takes many marks at once, so that images share the writes of a counter. It compares records
with what was counted for them, writes its plan, applies it, and deletes the marks that were not renewed meanwhile. After a crash,
the next run applies the same plan, and each of its writes changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.dynamodb import read_batch
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import image_scan, search_counts, search_index
from imagewatch.aws.tables.search_counts import Mark
from imagewatch.images.record import ANALYZING
from imagewatch.images.taken import taken_at, taken_minute
from imagewatch.images.version import ImageVersion
from imagewatch.search import counting
from imagewatch.search.counting import NOTHING, Counted, Plan
from imagewatch.services import image_store

IMAGES = 200
"""Images in one fold."""
MAX_PLAN_BYTES = 300_000

Record = Mapping[str, Any]


def run(has_time: Callable[[], bool]) -> int:
    """Folds while there are marks and time; returns the number of marks that were answered. Raises TransientError."""
    answered = 0
    while has_time():
        fold = search_counts.read_fold()
        if fold.plan is None:
            marks = list(islice(_due(), IMAGES))
            if not marks and _mark_more():
                continue
            if not marks:
                break
            if late := [mark for mark in marks if mark.rows_after]:
                _write_rows(late)
                continue
            plan, packed = _plan(marks)
            if plan.counted and not search_counts.begin_fold(fold.number + 1, packed):
                break  # another run is at work, although this one has the lease
            _apply(fold.number + 1, plan)
        else:
            plan = fold.plan
            _apply(fold.number, plan)
        answered += len(plan.tokens)
    return answered


def is_needed() -> bool:
    """Whether there is a mark, a fold that was interrupted, or a request for every image."""
    if next(search_counts.marks(), None) or search_counts.read_fold().plan is not None:
        return True
    return search_counts.requested_from() is not None


def _mark_more() -> bool:
    """Marks the next images of a request for every image; False without a request. A repeated call marks them once more."""
    cursor = search_counts.requested_from()
    if cursor is None:
        return False
    image_ids, following = image_scan.read_ids(cursor)
    for image_id in image_ids:
        search_index.mark_changed(image_id, rows_after=timestamps.milliseconds())
    search_counts.continue_request(following)
    return True


def _due() -> filter[Mark]:
    now = timestamps.milliseconds()
    return filter(lambda mark: mark.rows_after <= now, search_counts.marks())


def _write_rows(marks: Sequence[Mark]) -> None:
    for mark in marks:
        image_store.reindex(mark.image_id)
        search_counts.rows_are_written(mark)


def _plan(marks: Sequence[Mark]) -> tuple[Plan, bytes]:
    """The plan for these marks, or for as many of them as one item can hold."""
    while True:
        image_ids = [mark.image_id for mark in marks]
        found = read_batch(setting("IMAGES_TABLE"), [{"ImageId": image_id} for image_id in image_ids])
        records = {item["ImageId"]: item for item in found}
        before = search_counts.read_counted(image_ids)
        after = {image_id: _counted(records.get(image_id), before.get(image_id, NOTHING)) for image_id in image_ids}
        plan = counting.plan(before, after, records, {mark.image_id: mark.token for mark in marks})
        packed = plan.pack()
        if len(packed) <= MAX_PLAN_BYTES or len(marks) == 1:
            return plan, packed
        marks = marks[: len(marks) // 2]


def _counted(record: Record | None, before: Counted) -> Counted:
    """What has to be counted for an image: nothing while it is removed, and the same as before while it is analysed."""
    if record is None or "Lease" not in record:
        return NOTHING
    if record["Status"] == ANALYZING:
        return before
    image = ImageVersion.from_state(record)
    return counting.counted_for(record, image.owner, taken_at(image, record), taken_minute(image, record))


def _apply(number: int, plan: Plan) -> None:
    for (viewer, term), change in plan.changes.items():
        search_counts.apply_change(number, viewer, term, change)
    if plan.counted:
        search_counts.write_counted(plan.counted)
        search_counts.end_fold(number)
    for image_id, token in plan.tokens.items():
        search_counts.delete_mark(image_id, token)
