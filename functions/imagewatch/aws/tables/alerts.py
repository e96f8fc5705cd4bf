"""The AlertsTable: each alert is written first, sent second and marked third, so that a retry finds what is left to do.

An unfinished alert is listed in the sparse index `Queued`, which digests read: an alert is sent even if its sender crashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SENT, Alert
from imagewatch.aws.clients import client, error_code, refused_item, translated
from imagewatch.aws.dynamodb import conditional_update, from_item, placeholders, read_batch, set_clause, to_item, transact_updates
from imagewatch.aws.settings import setting
from imagewatch.observability import logger

LEASE_SECONDS = 120
"""How long an execution's lease keeps other senders away: longer than the function that sends may run."""

ABANDONED_SECONDS = 300
"""How long after the end of its lease an unfinished alert counts as abandoned: retries come sooner."""

_QUEUE = "digest"
_DAY = 24 * 3600
_BATCH = 100  # BatchGetItem's limit


def create_or_lease(alert: Alert, sender: str) -> tuple[Alert, bool]:
    """Writes a new alert and leases it to the sender. An existing one is leased if it is unfinished and no other sender owns it.

    Returns the alert as it is recorded, and whether the sender owns it. A sender is an execution: its retry continues at once, a
    duplicate changes nothing.
    """
    now = timestamps.milliseconds()
    month = {"CreatedMonth": timestamps.iso(now)[:7]}  # the key of the index ByMonth
    lease = {"Status": PENDING, "LeasedBy": sender, "LeasedUntil": now + LEASE_SECONDS * 1000, "QueuedFor": _QUEUE}
    new = replace(alert, created_at=timestamps.iso(now))
    try:
        with translated():
            client("dynamodb").put_item(
                TableName=setting("ALERTS_TABLE"),
                Item=to_item(new.to_item() | month | lease | {"ExpiresAt": expires_at()}),
                ConditionExpression="attribute_not_exists(AlertId)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        return _lease(alert.alert_id, lease, now, from_item(refused_item(error)))
    return new, True


def expires_at() -> int:
    """When a record written now is deleted: seconds since the epoch, as DynamoDB's time to live reads them."""
    return timestamps.milliseconds() // 1000 + int(float(setting("ALERT_RETENTION_DAYS")) * _DAY)


def _lease(alert_id: str, lease: Mapping[str, Any], now: int, known: Mapping[str, Any]) -> tuple[Alert, bool]:
    """Leases an unfinished alert; not if it is finished, or leased to another sender."""
    done = _update(
        alert_id,
        set_clause(lease),
        "#Status IN (:Status, :failed) AND (attribute_not_exists(LeasedUntil) OR LeasedBy = :LeasedBy OR LeasedUntil <= :now)",
        placeholders(lease) | {":failed": FAILED, ":now": now},
    )
    return Alert.from_item({**known, **lease} if done else known), done


def write_deliveries(alert: Alert, **attributes: Any) -> None:
    """Writes the alert's deliveries and further attributes, and sets `alert.status` to what follows from the deliveries.

    A finished alert leaves the index, and its lease ends.
    """
    write_all_deliveries([alert], **attributes)


def write_all_deliveries(alerts: Sequence[Alert], **attributes: Any) -> None:
    """`write_deliveries` of up to 100 alerts. Where a message was sent, all are written or none, so that no retry repeats it."""
    updates = [_deliveries_update(alert, attributes) for alert in alerts]
    was_sent = any(delivery.status == SENT for alert in alerts for delivery in alert.deliveries.values())
    if len(alerts) == 1 or not was_sent:
        for alert, (update, values) in zip(alerts, updates, strict=True):
            _update(alert.alert_id, update, "", values)
    else:
        keys = [{"AlertId": alert.alert_id} for alert in alerts]
        transact_updates(setting("ALERTS_TABLE"), [(key, *update) for key, update in zip(keys, updates, strict=True)])
    for alert in alerts:
        alert.status = alert.status_by_deliveries()


def _deliveries_update(alert: Alert, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(update expression, values)."""
    status = alert.status_by_deliveries()
    done = ["LeasedBy", "LeasedUntil"] if status != PENDING else []
    done += ["QueuedFor"] if status not in (PENDING, QUEUED) else []
    values = {**alert.deliveries_item(), "Status": status, **attributes}
    remove = f" REMOVE {', '.join(done)}" if done else ""
    return f"{set_clause(values)}{remove}", placeholders(values)


def is_abandoned(alert: Alert) -> bool:
    """Whether the lease of an unfinished alert ended so long ago that no retry of its sender will come."""
    return alert.leased_until <= _abandoned_before()


def queue_abandoned(alert: Alert) -> bool:
    """Queues an abandoned alert with its deliveries; False when a sender has leased it meanwhile."""
    values = {**alert.deliveries_item(), "Status": QUEUED}
    return _update(
        alert.alert_id,
        f"{set_clause(values)} REMOVE LeasedBy, LeasedUntil",
        "#Status = :pending AND (attribute_not_exists(LeasedUntil) OR LeasedUntil <= :before)",
        placeholders(values) | {":pending": PENDING, ":before": _abandoned_before()},
    )


def read_unfinished() -> Iterator[list[Alert]]:
    """All unfinished alerts, the oldest first, a batch at a time, as they are recorded now."""
    for ids in queued_ids(_QUEUE, 1000):
        for first in range(0, len(ids), _BATCH):
            yield read(ids[first : first + _BATCH])


def queued_ids(queue: str, limit: int) -> Iterator[list[str]]:
    """The ids of the records in one queue of the index `Queued`, the oldest first, in pages of at most `limit`."""
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").query(
                TableName=setting("ALERTS_TABLE"),
                IndexName="Queued",
                KeyConditionExpression="QueuedFor = :queue",
                ExpressionAttributeValues=to_item({":queue": queue}),
                Limit=limit,
                **start,
            )
        yield [from_item(item)["AlertId"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def read(alert_ids: Sequence[str]) -> list[Alert]:
    """Alerts as they are recorded now, the oldest first."""
    items = read_batch(setting("ALERTS_TABLE"), [{"AlertId": alert_id} for alert_id in alert_ids])
    return sorted(filter(None, map(_readable, items)), key=lambda alert: (alert.created_at, alert.alert_id))


def _readable(item: Mapping[str, Any]) -> Alert | None:
    """None for a damaged record, which must not stop the other alerts."""
    try:
        return Alert.from_item(item)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        logger.error("An alert's record is damaged. It was skipped.", alert_id=item["AlertId"], error=type(error).__name__)
        return None


def _abandoned_before() -> int:
    return timestamps.milliseconds() - ABANDONED_SECONDS * 1000


def _update(alert_id: str, update: str, condition: str, values: Mapping[str, Any]) -> bool:
    return conditional_update(setting("ALERTS_TABLE"), {"AlertId": alert_id}, update, condition, values, returns="NONE").done
