"""The IntakePaceTable: the one clock from which every concurrent intake takes its slots."""

from __future__ import annotations

import time

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.environment import setting
from imagewatch.aws.items import from_item, to_item
from imagewatch.pacing import is_too_late, slot_spacing

_CLOCK = {"Name": "executions"}


def wait_for_slot() -> None:
    """Returns when the next execution may start. Slots are shared by all concurrent intakes, and survive their crashes."""
    spacing = slot_spacing(float(setting("MAX_IMAGES_PER_SECOND")))
    while True:
        slot = _take_slot(spacing)
        delay = slot - _now()
        if delay > 0:
            time.sleep(delay / 1_000_000)
        if not is_too_late(slot, _now()):
            return


def _take_slot(spacing: int) -> int:
    """Microseconds since the epoch of a slot that is nobody else's."""
    while True:
        slot = _take_next(spacing) or _take_now(spacing)
        if slot:
            return slot


def _take_next(spacing: int) -> int | None:
    """The slot at the clock's hand, while it points to the future; None when the clock has fallen behind."""
    now = _now()
    hand = _move("SET NextSlot = NextSlot + :spacing", "NextSlot > :now", {":spacing": spacing, ":now": now})
    return None if hand is None else hand - spacing


def _take_now(spacing: int) -> int | None:
    """The present moment, when no slot lies ahead; None when somebody else was faster."""
    now = _now()
    condition = "attribute_not_exists(NextSlot) OR NextSlot <= :now"
    hand = _move("SET NextSlot = :next", condition, {":next": now + spacing, ":now": now})
    return None if hand is None else now


def _move(update: str, condition: str, values: dict[str, int]) -> int | None:
    try:
        with translated():
            answer = client("dynamodb").update_item(
                TableName=setting("INTAKE_PACE_TABLE"),
                Key=to_item(_CLOCK),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                ReturnValues="UPDATED_NEW",
            )
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return None
        raise
    return int(from_item(answer["Attributes"])["NextSlot"])


def _now() -> int:
    return time.time_ns() // 1000
