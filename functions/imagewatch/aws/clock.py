"""The time, and clocks in DynamoDB: all who start something take their slots from one, and a crash doesn't stop it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, refused_item, translated
from imagewatch.aws.items import from_item, to_item
from imagewatch.intake import iso_utc
from imagewatch.pacing import is_too_late

SECOND = 1_000_000
LONGEST_LEAD = SECOND


@dataclass(frozen=True)
class SharedClock:
    """One item whose NextSlot (microseconds since the epoch) moves by `spacing` with each slot that is taken."""

    table: str
    key: Mapping[str, str]
    spacing: int

    def wait_for_slot(self, patience: int | None = None) -> bool:
        """Sleeps until a slot of our own; False, at once, when none lies within `patience` (microseconds; None: no limit).

        A slot that was missed isn't held against the patience, which is for the slots that others have taken.
        """
        deadline = None if patience is None else now() + patience
        lead, asked = 0, now()
        slot = self._take(lead, deadline)
        while slot is not None:
            # Where a write takes longer than a start may be late, only a slot that lies ahead by as much can be used.
            lead = min(max(lead, now() - asked), LONGEST_LEAD)
            if (delay := slot - now()) > 0:
                pause(delay / SECOND)
            asked = now()
            if not is_too_late(slot, asked):
                return True
            if deadline is not None:
                deadline += asked - slot
            slot = self._postpone(slot, lead) or self._take(lead, deadline)
        return False

    def _take(self, lead: int, deadline: int | None) -> int | None:
        """Microseconds since the epoch of a slot that is nobody else's; None when all until the deadline are taken."""
        while True:
            hand = self._advance(now() + lead, deadline) or self._restart(now() + lead)
            if not isinstance(hand, _Refused):
                return hand
            if deadline is not None and hand.next_slot > deadline:
                return None

    def _advance(self, earliest: int, latest: int | None) -> int | None:
        """The slot at the clock's hand, while that points to the future; None when it has fallen behind, or is too far ahead."""
        values = {":spacing": self.spacing, ":earliest": earliest} | ({} if latest is None else {":latest": latest})
        within = "" if latest is None else " AND NextSlot <= :latest"
        hand = self._move("SET NextSlot = NextSlot + :spacing", f"NextSlot > :earliest{within}", values)
        return None if isinstance(hand, _Refused) else hand - self.spacing

    def _restart(self, slot: int) -> int | _Refused:
        """This very moment, when no slot lies ahead of it; refused when one does."""
        condition = "attribute_not_exists(NextSlot) OR NextSlot <= :slot"
        hand = self._move("SET NextSlot = :next", condition, {":next": slot + self.spacing, ":slot": slot})
        return hand if isinstance(hand, _Refused) else slot

    def _postpone(self, missed: int, lead: int) -> int | None:
        """Exchanges a missed slot for a later one, so that it isn't lost; None when others have taken slots after it."""
        slot = now() + lead
        values = {":next": slot + self.spacing, ":ours": missed + self.spacing}
        return None if isinstance(self._move("SET NextSlot = :next", "NextSlot = :ours", values), _Refused) else slot

    def _move(self, update: str, condition: str, values: dict[str, int]) -> int | _Refused:
        try:
            with translated():
                answer = client("dynamodb").update_item(
                    TableName=self.table,
                    Key=to_item(self.key),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=to_item(values),
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return _Refused(int(from_item(refused_item(error)).get("NextSlot", 0)))
            raise
        return int(from_item(answer["Attributes"])["NextSlot"])


@dataclass(frozen=True)
class _Refused:
    next_slot: int


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def pause(seconds: float) -> None:
    """Sleeps."""
    time.sleep(seconds)


def milliseconds() -> int:
    """Milliseconds since the epoch."""
    return now() // 1000


def iso_now() -> str:
    """The present moment as records have it: ISO 8601, UTC, milliseconds."""
    return iso(milliseconds())


def iso(moment: int) -> str:
    """Milliseconds since the epoch as records have them."""
    return iso_utc(datetime.fromtimestamp(moment / 1000, UTC))


def moment(written: str) -> int:
    """Milliseconds since the epoch of a moment in a record."""
    return round(datetime.fromisoformat(written).timestamp() * 1000)
