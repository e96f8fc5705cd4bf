"""The CooldownsTable: which rules stay silent, who is sending at the moment, and how many matches were kept back meanwhile.

A cooldown is first held (one conditional write, which nobody else gets), and starts only when its holder has sent. Counting is
exact through crashes: the write that adds one also leaves the alert's token, which makes a repetition change nothing; the token
goes when the alert's own record says that it was counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.alerts.cooldown import HOLD_SECONDS, LAST_WORD_SECONDS, Suppressed, Window, token
from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.dynamodb import from_item, to_item
from imagewatch.aws.settings import setting

MAX_OVERDUE = 200  # that one digest tells; the next run tells the others
_UNTOLD = "yes"


@dataclass(frozen=True)
class Held:
    """The cooldown is ours until we settle or release it; `untold` is what the next message has to say."""

    window: Window
    holder: str
    untold: Suppressed


def acquire(window: Window, holder: str) -> Held | None:
    """Holds the cooldown for an alert or a digest; None while it runs, while another one sends, or when it counted this one."""
    now = timestamps.milliseconds()
    values: dict[str, Any] = {
        ":holder": holder,
        ":until": now + HOLD_SECONDS * 1000,
        ":now": now,
        ":over": now - window.seconds * 1000,
        ":token": token(holder),
    }
    item = _update(
        window.cooldown_id,
        "SET LeasedBy = :holder, LeasedUntil = :until",
        "(attribute_not_exists(LastSentAt) OR LastSentAt <= :over)"
        " AND (attribute_not_exists(LeasedBy) OR LeasedBy = :holder OR LeasedUntil <= :now)"
        " AND NOT contains(PendingTokens, :token)",
        values,
    )
    if item is None:
        return None
    since = item.get("LastSentAt") or item.get("SuppressedSince") or now
    return Held(window, holder, Suppressed(int(item.get("Suppressed", 0)), timestamps.iso(int(since)), window.seconds))


def settle(cooldown_id: str, holder: str, told: int, seconds: int, sent_at: int | None) -> None:
    """The holder has sent at this moment (ms) and told that many: the cooldown starts, and they are no longer owed.

    With None, people were told without an alert, so that no cooldown starts. Nothing changes when the holder holds it no longer.
    """
    starts = "" if sent_at is None else "LastSentAt = :at, "
    at = timestamps.milliseconds() if sent_at is None else sent_at
    values: dict[str, Any] = {":holder": holder, ":told": told} | ({":at": at} if starts else {})
    all_told = _update(
        cooldown_id,
        f"SET {starts}Suppressed = :zero REMOVE LeasedBy, LeasedUntil, SuppressedSince, ReportPending, ReportAfter",
        "LeasedBy = :holder AND (attribute_not_exists(Suppressed) OR Suppressed = :told)",
        values | {":zero": 0},
    )
    if all_told is None:
        _update(
            cooldown_id,
            f"SET {starts}Suppressed = Suppressed - :told, SuppressedSince = :since, ReportAfter = :tell"
            " REMOVE LeasedBy, LeasedUntil",
            "LeasedBy = :holder",
            values | {":since": at, ":tell": _last_word(at, seconds)},
        )


def release(cooldown_id: str, holder: str) -> None:
    """The holder has sent nothing: no cooldown starts, and the next match may try."""
    _update(cooldown_id, "REMOVE LeasedBy, LeasedUntil", "LeasedBy = :holder", {":holder": holder})


def suppress(window: Window, alert_id: str) -> None:
    """Counts the alert as kept back, once, however often this is repeated before `forget`."""
    now, mark = timestamps.milliseconds(), token(alert_id)
    _update(
        window.cooldown_id,
        "SET SuppressedSince = if_not_exists(SuppressedSince, :now), ReportPending = :untold,"
        " ReportAfter = if_not_exists(ReportAfter, :tell),"
        " RuleId = :rule, RuleName = :name, Channels = :channels, #Seconds = :seconds"
        " ADD Suppressed :one, PendingTokens :tokens",
        "NOT contains(PendingTokens, :token)",
        {
            ":now": now,
            ":tell": _last_word(now, window.seconds),
            ":untold": _UNTOLD,
            ":rule": window.rule_id,
            ":name": window.rule_name,
            ":channels": list(window.channels),
            ":seconds": window.seconds,
            ":one": 1,
            ":tokens": {mark},
            ":token": mark,
        },
        {"#Seconds": "Seconds"},
    )


def has_counted(cooldown_id: str, alert_id: str) -> bool:
    """Whether the alert was counted as kept back, by somebody who didn't live to record it."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("COOLDOWNS_TABLE"), Key=to_item({"CooldownId": cooldown_id}), ConsistentRead=True
        )
    counting = from_item(answer.get("Item", {})).get("PendingTokens", set())
    return token(alert_id) in {bytes(entry) for entry in counting}


def forget(cooldown_id: str, alert_id: str) -> None:
    """Takes the alert's token away, once its record says that it was counted."""
    _update(cooldown_id, "DELETE PendingTokens :tokens", "attribute_exists(CooldownId)", {":tokens": {token(alert_id)}})


def overdue() -> Iterator[list[Window]]:
    """Cooldowns whose count no alert has told for long, MAX_OVERDUE at a time, those that wait longest first."""
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").query(
                TableName=setting("COOLDOWNS_TABLE"),
                IndexName="ReportPending",
                KeyConditionExpression="ReportPending = :untold AND ReportAfter <= :now",
                ExpressionAttributeValues=to_item({":untold": _UNTOLD, ":now": timestamps.milliseconds()}),
                Limit=MAX_OVERDUE,
                **start,
            )
        yield [_window(from_item(item)) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _window(item: Mapping[str, Any]) -> Window:
    about = (item["CooldownId"], int(item["Seconds"]), item["RuleId"], item["RuleName"])
    return Window(*about, tuple(item["Channels"]), int(item["ReportAfter"]))


def _last_word(now: int, seconds: int) -> int:
    return now + (seconds + LAST_WORD_SECONDS) * 1000


def _update(
    cooldown_id: str, update: str, condition: str, values: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """The item as it is afterwards; None when the condition doesn't hold."""
    try:
        with translated():
            answer = client("dynamodb").update_item(
                TableName=setting("COOLDOWNS_TABLE"),
                Key=to_item({"CooldownId": cooldown_id}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                ReturnValues="ALL_NEW",
                **({"ExpressionAttributeNames": dict(names)} if names else {}),
            )
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return None
        raise
    return from_item(answer["Attributes"])
