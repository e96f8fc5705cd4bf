"""Channels: the operations of /channels, and a channel's record as they show it. Addresses and secrets are not shown."""

from __future__ import annotations

from typing import Any

from imagewatch.alerts.channel import EMAIL, UNCHECKED, ChannelRecord
from imagewatch.api.operation import Answer, Operation
from imagewatch.api.schemas import FLAG, STRING, a_list, described, mapping

PATH = "/channels/{channel_id}"
CHANNEL_ID = "^[a-z0-9][a-z0-9-]{0,31}$"

CHANNEL = mapping(
    {
        "ChannelId": STRING,
        "Kind": {"type": "string", "enum": ["email", "slack", "webhook"]},
        "Enabled": described(FLAG, "False when its owner has disabled it."),
        "Status": described(
            {"type": "string", "enum": ["ok", "unchecked", "unconfirmed", "disabled", "failing"]},
            "The result of the last check, which runs daily. Only `ok` reaches people.",
        ),
    },
    {"StatusReason": STRING},
)
LIST_CHANNELS = Operation(
    "GET",
    "/channels",
    "listChannels",
    "Lists the alert channels with their health",
    Answer("Every channel.", mapping({"Channels": a_list(CHANNEL)})),
    operators_only=True,
)
TEST_CHANNEL = Operation(
    "POST",
    f"{PATH}/test",
    "testChannel",
    "Sends a test message through a channel",
    Answer(
        "The outcome.",
        mapping(
            {"ChannelId": STRING, "Outcome": {"type": "string", "enum": ["SENT", "FAILED"]}},
            {"Kind": STRING, "Id": described(STRING, "The channel's own id of the message."), "Reason": STRING},
        ),
    ),
    "Check Channels sends it, as it does the daily checks, so that the API has no access to the secrets of channels.",
    operators_only=True,
    ids={"channel_id": CHANNEL_ID},
)
OPERATIONS = (LIST_CHANNELS, TEST_CHANNEL)


def document(record: ChannelRecord) -> dict[str, Any]:
    """A channel in an answer."""
    status = UNCHECKED if record.channel_id == EMAIL and not record.status_reason else record.status
    reason = {"StatusReason": record.status_reason} if record.status_reason else {}
    return {"ChannelId": record.channel_id, "Kind": record.kind, "Enabled": record.enabled, "Status": status, **reason}
