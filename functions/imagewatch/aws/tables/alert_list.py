"""Reads the AlertsTable for its readers, the newest first, and writes what people say about an alert.

The index `ByMonth` lists the alerts of all rules, `ByRule` those of one. Alerts that were written before `ByMonth` existed are in
`ByRule` only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import conditional_update, from_item, read_batch, to_item
from imagewatch.aws.settings import setting

Record = dict[str, Any]


@dataclass(frozen=True, order=True)
class AlertPlace:
    """A place in the order of time: the alert behind which a page begins."""

    created_at: str
    alert_id: str


def newest(rule_id: str, since: str, until: str, after: AlertPlace | None, limit: int) -> list[Record]:
    """Up to `limit` alerts behind a place, with since <= CreatedAt <= until (ISO 8601), of one rule or ("") of all.

    The records are complete, in descending order of time and id.
    """
    places: list[AlertPlace] = []
    for place in _descending(rule_id, since, after.created_at if after else until):
        # The index does not order alerts of the same millisecond, so that all of them are needed.
        if len(places) >= limit and place.created_at != places[-1].created_at:
            break
        if after is None or place < after:
            places.append(place)
    return _records([place.alert_id for place in sorted(places, reverse=True)[:limit]])


def by_day(first: str, last: str) -> Counter[str]:
    """The number of alerts on each day (UTC) between two ISO dates, both included."""
    return Counter(place.created_at[:10] for place in _descending("", first, f"{last}~"))


def change(alert_id: str, update: str, values: Mapping[str, Any]) -> Record | None:
    """Updates an alert; returns it as it is then, or None when there is no such alert."""
    written = conditional_update(
        setting("ALERTS_TABLE"),
        {"AlertId": alert_id},
        update,
        "attribute_exists(#AlertId) AND attribute_exists(#ImageId)",
        values,
    )
    return written.item if written.done else None


def _partitions(rule_id: str, since: str, until: str) -> Iterator[tuple[str, str]]:
    """(index, partition key), the newest months first."""
    if rule_id:
        yield "ByRule", rule_id
        return
    month, first = until[:7], since[:7]
    while month >= first:
        yield "ByMonth", month
        year, number = int(month[:4]), int(month[5:])
        month = f"{year - (number == 1):04}-{12 if number == 1 else number - 1:02}"


def _descending(rule_id: str, since: str, until: str) -> Iterator[AlertPlace]:
    for index, partition in _partitions(rule_id, since, until):
        for page in _query(index, partition, since, until):
            for item in page["Items"]:
                key = from_item(item)
                yield AlertPlace(str(key["CreatedAt"]), str(key["AlertId"]))


def _query(index: str, partition: str, since: str, until: str, **more: Any) -> Iterator[dict[str, Any]]:
    name = {"ByRule": "RuleId", "ByMonth": "CreatedMonth"}[index]
    arguments: dict[str, Any] = {
        "TableName": setting("ALERTS_TABLE"),
        "IndexName": index,
        "KeyConditionExpression": f"{name} = :partition AND CreatedAt BETWEEN :since AND :until",
        "ExpressionAttributeValues": to_item({":partition": partition, ":since": since, ":until": until}),
        "ScanIndexForward": False,
        **more,
    }
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").query(**arguments, **start)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _records(alert_ids: Sequence[str]) -> list[Record]:
    """The complete records, in the order of the ids. The index can still list an alert that has expired."""
    found = {one["AlertId"]: one for one in read_batch(setting("ALERTS_TABLE"), [{"AlertId": one} for one in alert_ids])}
    return [found[alert_id] for alert_id in alert_ids if alert_id in found]
