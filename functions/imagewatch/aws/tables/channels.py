"""The ChannelsTable: where each channel leads and how it fares. "email" works without a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.alerts.channel_health import DISABLED
from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.dynamodb import from_item, set_expression, to_item
from imagewatch.aws.settings import setting


def read(channel_id: str) -> dict[str, Any] | None:
    """The channel's record, or None."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("CHANNELS_TABLE"), Key=to_item({"ChannelId": channel_id}), ConsistentRead=True
        )
    return from_item(answer["Item"]) if "Item" in answer else None


def read_all() -> list[dict[str, Any]]:
    """Every record. There are a handful of channels."""
    with translated():
        pages = list(client("dynamodb").get_paginator("scan").paginate(TableName=setting("CHANNELS_TABLE"), ConsistentRead=True))
    return [from_item(item) for page in pages for item in page["Items"]]


def switch_off(channel_id: str, address: Mapping[str, Any], reason: str, now: str) -> bool:
    """Marks a channel as disabled because its address is gone; True for the one call that did it.

    `address` is what was tried (Url or SecretParameter, UpdatedAt): a channel that was changed meanwhile stays as it is.
    """
    unchanged = " AND ".join(
        f"#{name} = :{name}" if value is not None else f"attribute_not_exists(#{name})" for name, value in address.items()
    )
    values = {name: value for name, value in address.items() if value is not None}
    return _update(
        channel_id,
        {"Status": DISABLED, "StatusReason": reason, "CheckedAt": now},
        condition=f"attribute_exists(ChannelId) AND #Status <> :Status{' AND ' + unchanged if unchanged else ''}",
        names=list(address),
        values={f":{name}": value for name, value in values.items()},
    )


def note_status(channel_id: str, changed: str | None, status: str, reason: str, now: str) -> None:
    """Records what a check or a test found.

    `changed` is the UpdatedAt of the record that was looked at: a channel that was replaced or switched meanwhile isn't judged by
    what it was, and one that was removed isn't brought back.
    """
    exists = "" if channel_id == "email" else "attribute_exists(ChannelId) AND "
    _update(
        channel_id,
        {"Status": status, "StatusReason": reason, "CheckedAt": now},
        condition=exists + ("attribute_not_exists(#UpdatedAt)" if changed is None else "#UpdatedAt = :UpdatedAt"),
        names=["UpdatedAt"],
        values={} if changed is None else {":UpdatedAt": changed},
    )


def hold(channel_id: str, until: float) -> None:
    """Leaves the channel alone until then (seconds since the epoch), as it asked."""
    _update(channel_id, {"PausedUntil": round(until, 3)}, condition="attribute_exists(ChannelId)")


def _update(
    channel_id: str,
    attributes: Mapping[str, Any],
    *,
    condition: str = "",
    names: list[str] | None = None,
    values: Mapping[str, Any] | None = None,
) -> bool:
    sets, set_names, bound = set_expression(attributes)
    try:
        with translated():
            client("dynamodb").update_item(
                TableName=setting("CHANNELS_TABLE"),
                Key=to_item({"ChannelId": channel_id}),
                UpdateExpression=sets,
                ExpressionAttributeNames=set_names | {f"#{name}": name for name in names or []},
                ExpressionAttributeValues=bound | to_item(values or {}),
                **({"ConditionExpression": condition} if condition else {}),
            )
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True
