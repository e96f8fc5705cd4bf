"""The CooldownsTable: since when a rule sends nothing, which sender owns the cooldown, and how many matches it has suppressed.

A sender first acquires the cooldown's lease (one conditional write), and the cooldown starts only when the sender has sent.
Counting is exact through crashes: the write that adds one also adds the alert's token, which makes a repetition change nothing.
The token is removed when the alert's own record says that it was counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts.cooldown import (
    LEASE_SECONDS,
    REPORT_DELAY_SECONDS,
    CooldownLease,
    CooldownScope,
    Suppressed,
    pending_token,
)
from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import conditional_update, from_item, to_item
from imagewatch.aws.settings import setting

MAX_DUE_REPORTS = 200  # in one digest; the next run reports the others
_PENDING = "yes"


def acquire_lease(scope: CooldownScope, owner: str) -> CooldownLease | None:
    """Leases the cooldown to an alert or a digest.

    None while the cooldown runs, while another owner has it, and when it has counted this alert as suppressed.
    """
    now = timestamps.milliseconds()
    item = _update(
        scope.cooldown_id,
        "SET LeasedBy = :owner, LeasedUntil = :until",
        "(attribute_not_exists(LastSentAt) OR LastSentAt <= :over)"
        " AND (attribute_not_exists(LeasedBy) OR LeasedBy = :owner OR LeasedUntil <= :now)"
        " AND NOT contains(PendingTokens, :token)",
        {
            ":owner": owner,
            ":until": now + LEASE_SECONDS * 1000,
            ":now": now,
            ":over": now - scope.seconds * 1000,
            ":token": pending_token(owner),
        },
    )
    if item is None:
        return None
    since = item.get("LastSentAt") or item.get("SuppressedSince") or now
    unreported = Suppressed(int(item.get("Suppressed", 0)), timestamps.iso(int(since)), scope.seconds)
    return CooldownLease(scope, owner, unreported)


def complete_lease(cooldown_id: str, owner: str, reported: int, seconds: int, sent_at: int | None) -> None:
    """Ends the lease of an owner that has sent at this moment (ms): the cooldown starts, and the reported count is subtracted.

    With None, the counts were reported without an alert, and no cooldown starts. Changes nothing when the lease was lost.
    """
    starts = "" if sent_at is None else "LastSentAt = :at, LastSentBy = :owner, "
    at = timestamps.milliseconds() if sent_at is None else sent_at
    values: dict[str, Any] = {":owner": owner, ":reported": reported} | ({":at": at} if starts else {})
    all_reported = _update(
        cooldown_id,
        f"SET {starts}Suppressed = :zero REMOVE LeasedBy, LeasedUntil, SuppressedSince, ReportPending, ReportAfter",
        "LeasedBy = :owner AND (attribute_not_exists(Suppressed) OR Suppressed = :reported)",
        values | {":zero": 0},
    )
    if all_reported is None:
        _update(
            cooldown_id,
            f"SET {starts}Suppressed = Suppressed - :reported, SuppressedSince = :since, ReportAfter = :after"
            " REMOVE LeasedBy, LeasedUntil",
            "LeasedBy = :owner",
            values | {":since": at, ":after": _report_after(at, seconds)},
        )


def release_lease(cooldown_id: str, owner: str) -> None:
    """Ends the lease of an owner that has sent nothing: no cooldown starts, and the next match may be sent."""
    _update(cooldown_id, "REMOVE LeasedBy, LeasedUntil", "LeasedBy = :owner", {":owner": owner})


def count_suppressed(scope: CooldownScope, alert_id: str) -> str:
    """Counts the alert as suppressed: once, even if this is repeated before `remove_token`.

    Returns the alert or digest that is the reason: the one that is being sent, or else the one that was sent last.
    """
    now, token = timestamps.milliseconds(), pending_token(alert_id)
    written = conditional_update(
        setting("COOLDOWNS_TABLE"),
        {"CooldownId": scope.cooldown_id},
        "SET SuppressedSince = if_not_exists(SuppressedSince, :now), ReportPending = :pending,"
        " ReportAfter = if_not_exists(ReportAfter, :after),"
        " RuleId = :rule, RuleName = :name, Channels = :channels, #Seconds = :seconds"
        " ADD Suppressed :one, PendingTokens :tokens",
        "NOT contains(PendingTokens, :token)",
        {
            ":now": now,
            ":after": _report_after(now, scope.seconds),
            ":pending": _PENDING,
            ":rule": scope.rule_id,
            ":name": scope.rule_name,
            ":channels": list(scope.channels),
            ":seconds": scope.seconds,
            ":one": 1,
            ":tokens": {token},
            ":token": token,
        },
    )
    is_leased = int(written.item.get("LeasedUntil", 0)) > now
    return str(written.item.get("LeasedBy" if is_leased else "LastSentBy", ""))


def has_counted(cooldown_id: str, alert_id: str) -> bool:
    """Whether the alert was counted as suppressed by a sender that crashed before it recorded that on the alert."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("COOLDOWNS_TABLE"), Key=to_item({"CooldownId": cooldown_id}), ConsistentRead=True
        )
    tokens = from_item(answer.get("Item", {})).get("PendingTokens", set())
    return pending_token(alert_id) in {bytes(token) for token in tokens}


def remove_token(cooldown_id: str, alert_id: str) -> None:
    """Removes the alert's token, once its record says that it was counted."""
    condition = "attribute_exists(CooldownId)"
    _update(cooldown_id, "DELETE PendingTokens :tokens", condition, {":tokens": {pending_token(alert_id)}})


def read_due_reports() -> Iterator[list[CooldownScope]]:
    """Cooldowns whose counts no alert has reported in time, MAX_DUE_REPORTS at a time, the longest overdue first."""
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").query(
                TableName=setting("COOLDOWNS_TABLE"),
                IndexName="ReportPending",
                KeyConditionExpression="ReportPending = :pending AND ReportAfter <= :now",
                ExpressionAttributeValues=to_item({":pending": _PENDING, ":now": timestamps.milliseconds()}),
                Limit=MAX_DUE_REPORTS,
                **start,
            )
        yield [CooldownScope.from_item(from_item(item)) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _report_after(now: int, seconds: int) -> int:
    return now + (seconds + REPORT_DELAY_SECONDS) * 1000


def _update(cooldown_id: str, update: str, condition: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The item after the update; None when the condition does not hold."""
    written = conditional_update(setting("COOLDOWNS_TABLE"), {"CooldownId": cooldown_id}, update, condition, values)
    return written.item if written.done else None
