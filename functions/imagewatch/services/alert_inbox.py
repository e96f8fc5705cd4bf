"""The alerts as operators work with them: listed, acknowledged, and marked as wrong ("not this")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.tables import alert_list
from imagewatch.aws.tables.alert_list import AlertPlace

DEFAULT_DAYS = 90
LONGEST_DAYS = 3_650
"""The longest time for which alerts are kept (AlertRetentionDays). Older months are not asked for."""
_DAY = 24 * 3600 * 1000  # milliseconds

Record = dict[str, Any]


@dataclass(frozen=True)
class AlertPage:
    """A part of the list."""

    records: list[Record]
    place: AlertPlace | None
    """Where the next page begins; None at the end."""


def page(rule_id: str, since: str, after: AlertPlace | None, limit: int) -> AlertPage:
    """The newest alerts of a rule ("" for all), since a day ("" for DEFAULT_DAYS ago), behind a place."""
    now = timestamps.milliseconds()
    first = max(since, timestamps.iso(now - (LONGEST_DAYS if since else DEFAULT_DAYS) * _DAY))
    records = alert_list.newest(rule_id, first, timestamps.iso(now), after, limit + 1)
    shown = records[:limit]
    more = len(records) > limit
    return AlertPage(shown, AlertPlace(shown[-1]["CreatedAt"], shown[-1]["AlertId"]) if more else None)


def acknowledge(alert_id: str, by: str) -> Record | None:
    """Records who has seen to the alert. The first one stays. None when there is no such alert."""
    return alert_list.change(
        alert_id, "SET #Acknowledged = if_not_exists(#Acknowledged, :mark)", {":mark": {"At": timestamps.iso_now(), "By": by}}
    )


def mark_wrong(alert_id: str, by: str, note: str) -> Record | None:
    """Marks an alert as wrong, for the rule's precision. None when there is no such alert."""
    mark = {"At": timestamps.iso_now(), "By": by, **({"Note": note} if note else {})}
    return alert_list.change(alert_id, "SET #NotThis = :mark", {":mark": mark})


def unmark(alert_id: str) -> Record | None:
    """Removes the mark. None when there is no such alert."""
    return alert_list.change(alert_id, "REMOVE #NotThis", {})
