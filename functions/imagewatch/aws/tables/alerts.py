"""The AlertsTable: each alert is written first, sent second and marked third, so that a retry knows where it stands.

While an alert is not dealt with it stands in the sparse index `Queued`, in which digests look: whatever becomes of its sender, it
is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, status_of
from imagewatch.aws.clients import client, error_code, refused_item, translated
from imagewatch.aws.dynamodb import from_item, set_expression, to_item
from imagewatch.aws.settings import setting

CLAIM_SECONDS = 120
"""How long an execution's lease keeps others from the alert: longer than the function that sends may run."""

LEFT_SECONDS = 300
"""How long after the end of its lease an unfinished alert counts as left for good: retries come sooner."""

_WAITING = "digest"
_BATCH = 100  # BatchGetItem's limit


def open_alert(alert_id: str, attributes: Mapping[str, Any], sender: str) -> tuple[dict[str, Any], bool]:
    """The alert's record, and whether it is this sender's to send: new, or left unfinished by the same sender or a dead one.

    The sender is an execution: its retry takes up at once what it left, a duplicate keeps its hands off.
    """
    now = timestamps.milliseconds()
    lease = {
        "Status": PENDING,
        "QueuedFor": _WAITING,
        "LeasedBy": sender,
        "LeasedUntil": now + CLAIM_SECONDS * 1000,
    }
    alert = {"AlertId": alert_id, **attributes, **lease, "CreatedAt": timestamps.iso(now), "Deliveries": {}}
    try:
        with translated():
            client("dynamodb").put_item(
                TableName=setting("ALERTS_TABLE"),
                Item=to_item(alert),
                ConditionExpression="attribute_not_exists(AlertId)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        known = from_item(refused_item(error))
        is_ours = _acquire(alert_id, lease, now)
        return ({**known, **lease} if is_ours else known), is_ours
    return alert, True


def _acquire(alert_id: str, lease: Mapping[str, Any], now: int) -> bool:
    """Makes an unfinished alert this sender's; False when it is dealt with, or another sender has it in hand."""
    return write(
        alert_id,
        lease,
        (),
        "#Status IN (:Status, :failed) AND (attribute_not_exists(LeasedUntil) OR LeasedBy = :LeasedBy OR LeasedUntil <= :now)",
        {":failed": FAILED, ":now": now},
    )


def record(alert: Mapping[str, Any], deliveries: Mapping[str, Any], **attributes: Any) -> str:
    """Writes how the alert's deliveries stand, with further attributes; returns how the alert stands by that.

    What is dealt with leaves the index and belongs to nobody any more.
    """
    status = status_of(deliveries, alert["Channels"])
    done = ["LeasedBy", "LeasedUntil"] if status != PENDING else []
    done += ["QueuedFor"] if status not in (PENDING, QUEUED) else []
    write(alert["AlertId"], {"Deliveries": deliveries, "Status": status, **attributes}, done)
    return status


def is_left(alert: Mapping[str, Any]) -> bool:
    """Whether the sender of an unfinished alert has been silent for so long that no retry of it will come."""
    return int(alert.get("LeasedUntil", 0)) <= _long_ago()


def take_over(alert: Mapping[str, Any], deliveries: Mapping[str, Any]) -> bool:
    """Queues an alert that its sender has left for good; False when a sender has it in hand after all."""
    done = ["LeasedBy", "LeasedUntil"]
    condition = "#Status = :pending AND (attribute_not_exists(LeasedUntil) OR LeasedUntil <= :left)"
    extra = {":pending": PENDING, ":left": _long_ago()}
    return write(alert["AlertId"], {"Deliveries": deliveries, "Status": QUEUED}, done, condition, extra)


def waiting() -> Iterator[list[dict[str, Any]]]:
    """All alerts that are not dealt with, the oldest first, a batch at a time, as their records stand now."""
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").query(
                TableName=setting("ALERTS_TABLE"),
                IndexName="Queued",
                KeyConditionExpression="QueuedFor = :waiting",
                ExpressionAttributeValues=to_item({":waiting": _WAITING}),
                Limit=1000,
                **start,
            )
        ids = [from_item(item)["AlertId"] for item in page["Items"]]
        for first in range(0, len(ids), _BATCH):
            yield read(ids[first : first + _BATCH])
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def read(alert_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The records of up to 100 alerts, as they are now, the oldest first."""
    table = setting("ALERTS_TABLE")
    records: list[dict[str, Any]] = []
    wanted: dict[str, Any] = {table: {"Keys": [to_item({"AlertId": entry}) for entry in alert_ids], "ConsistentRead": True}}
    while wanted and wanted[table]["Keys"]:
        with translated():
            answer = client("dynamodb").batch_get_item(RequestItems=wanted)
        records += [from_item(item) for item in answer["Responses"].get(table, [])]
        wanted = answer.get("UnprocessedKeys", {})
    return sorted(records, key=lambda entry: (entry["CreatedAt"], entry["AlertId"]))


def _long_ago() -> int:
    return timestamps.milliseconds() - LEFT_SECONDS * 1000


def write(
    alert_id: str,
    values: Mapping[str, Any],
    removed: Sequence[str] = (),
    condition: str = "",
    extra: Mapping[str, Any] | None = None,
) -> bool:
    """Sets these attributes and takes others away; False when the condition (with `extra` values) doesn't hold."""
    sets, names, bound = set_expression(values)
    try:
        with translated():
            client("dynamodb").update_item(
                TableName=setting("ALERTS_TABLE"),
                Key=to_item({"AlertId": alert_id}),
                UpdateExpression=f"{sets} REMOVE {', '.join(removed)}" if removed else sets,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=bound | to_item(extra or {}),
                **({"ConditionExpression": condition} if condition else {}),
            )
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True
