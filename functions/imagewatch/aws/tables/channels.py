"""The ChannelsTable: the address and the health of each channel. "email" works without a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts.channel import DISABLED, EMAIL, ChannelRecord
from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import conditional_update, from_item, placeholders, set_clause, to_item
from imagewatch.aws.settings import setting

REPORT_LEASE_SECONDS = 120
"""How long one sender keeps others from reporting a disabled channel: longer than any function that sends may run."""


def read(channel_id: str) -> ChannelRecord | None:
    """The channel's record, or None."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("CHANNELS_TABLE"), Key=to_item({"ChannelId": channel_id}), ConsistentRead=True
        )
    return ChannelRecord.from_item(from_item(answer["Item"])) if "Item" in answer else None


def read_all() -> list[ChannelRecord]:
    """Every record. There are only a few channels."""
    with translated():
        pages = list(client("dynamodb").get_paginator("scan").paginate(TableName=setting("CHANNELS_TABLE"), ConsistentRead=True))
    return [ChannelRecord.from_item(from_item(item)) for page in pages for item in page["Items"]]


def disable(channel: ChannelRecord, reason: str, now: str) -> bool:
    """Disables a channel whose address no longer exists; True for the one call that did it. That is still to be reported.

    A channel that its owner changed after `channel` was read stays as it is.
    """
    address = channel.address_item()
    unchanged = [f"#{name} = :{name}" if value else f"attribute_not_exists(#{name})" for name, value in address.items()]
    values = {"Status": DISABLED, "StatusReason": reason, "CheckedAt": now, "ReportPending": True}
    condition = " AND ".join(["attribute_exists(ChannelId)", "#Status <> :Status", *unchanged])
    expected = placeholders({name: value for name, value in address.items() if value})
    return _update(channel.channel_id, values, condition, expected)


def write_status(channel: ChannelRecord, status: str, reason: str, now: str) -> None:
    """Records the result of a check or a test.

    Changes nothing when the channel's owner has changed or removed it since `channel` was read.
    """
    exists = "" if channel.channel_id == EMAIL else "attribute_exists(ChannelId) AND "
    unchanged = "attribute_not_exists(#UpdatedAt)" if channel.updated_at is None else "#UpdatedAt = :UpdatedAt"
    expected = {} if channel.updated_at is None else {":UpdatedAt": channel.updated_at}
    _update(channel.channel_id, {"Status": status, "StatusReason": reason, "CheckedAt": now}, exists + unchanged, expected)


def lease_report(channel_id: str, sender: str) -> bool:
    """Whether this sender (an execution or a run) is to report that the channel was disabled: one does, and its retry."""
    now = timestamps.milliseconds()
    return _update(
        channel_id,
        {"ReportLeasedBy": sender, "ReportLeasedUntil": now + REPORT_LEASE_SECONDS * 1000},
        "#ReportPending = :pending AND"
        " (attribute_not_exists(#ReportLeasedBy) OR #ReportLeasedBy = :ReportLeasedBy OR #ReportLeasedUntil <= :now)",
        {":pending": True, ":now": now},
    )


def complete_report(channel_id: str) -> None:
    """Records that it was reported that the channel was disabled."""
    update = "REMOVE ReportPending, ReportLeasedBy, ReportLeasedUntil"
    key = {"ChannelId": channel_id}
    conditional_update(setting("CHANNELS_TABLE"), key, update, "attribute_exists(ReportPending)", returns="NONE")


def pause(channel_id: str, until: float) -> None:
    """Sends nothing through the channel until then (seconds since the epoch), as the receiver asked."""
    _update(channel_id, {"PausedUntil": round(until, 3)}, "attribute_exists(ChannelId)", {})


def _update(channel_id: str, attributes: Mapping[str, Any], condition: str, expected: Mapping[str, Any]) -> bool:
    table, key = setting("CHANNELS_TABLE"), {"ChannelId": channel_id}
    values = {**placeholders(attributes), **expected}
    return conditional_update(table, key, set_clause(attributes), condition, values, returns="NONE").done
