"""The alerts of a digest: those that were put off to one, and those that a sender which has died left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import alert as alerts
from imagewatch.alerts.alert import PENDING, QUEUED, SUPPRESSED
from imagewatch.alerts.cooldown import window_of
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table

Record = dict[str, Any]


def waits_for(channel_id: str, alert: Mapping[str, Any]) -> bool:
    """Whether a digest of this channel is to tell the alert."""
    return bool(alert["Deliveries"].get(channel_id, {}).get("Status") == QUEUED)


def still_waiting(alert: Record) -> Record | None:
    """The alert if a digest is to tell it; one that its sender has left for good is taken over first."""
    if alert["Status"] == QUEUED:
        return alert
    if alert["Status"] != PENDING or not alerts_table.is_left(alert):
        return None
    window = window_of(alert["Rule"], alert["Source"])
    if window and cooldowns_table.has_counted(window.cooldown_id, alert["AlertId"]):
        counted = alerts.entry(SUPPRESSED, timestamps.iso_now(), "Its sender was interrupted after it had been counted.")
        alerts_table.record(alert, dict.fromkeys(alert["Channels"], counted))
        cooldowns_table.forget(window.cooldown_id, alert["AlertId"])
        return None
    why = {"Reason": "Its sender was interrupted."}  # where it hasn't said why it could not send
    queued = alerts.entry(QUEUED, timestamps.iso_now())
    left = {name: {**why, **alert["Deliveries"].get(name, {}), **queued} for name in alert["Channels"] if _is_open(alert, name)}
    alert["Deliveries"] = {**alert["Deliveries"], **left}
    return alert if alerts_table.take_over(alert, alert["Deliveries"]) else None


def _is_open(alert: Mapping[str, Any], channel_id: str) -> bool:
    return bool(alert["Deliveries"].get(channel_id, {}).get("Status", PENDING) == PENDING)
