"""The channels as operators see them, and the test of one."""

from __future__ import annotations

from typing import Any

from imagewatch.alerts.channel import EMAIL, ChannelRecord
from imagewatch.aws import functions
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import channels as channels_table


def read_all() -> list[ChannelRecord]:
    """Every channel by its id. E-mail is there without a record; a record without a kind is a rate limiter without a channel."""
    records = {record.channel_id: record for record in channels_table.read_all() if record.kind}
    records.setdefault(EMAIL, ChannelRecord(EMAIL, EMAIL))
    return [record for _, record in sorted(records.items())]


def test(channel_id: str) -> dict[str, Any] | None:
    """Sends a test through the channel, from the function that checks channels; None when there is no such channel."""
    if channel_id not in {record.channel_id for record in read_all()}:
        return None
    answer = functions.invoke(setting("CHECK_CHANNELS_FUNCTION"), {"Test": [channel_id]})
    outcome: dict[str, Any] = answer["Channels"][0]
    return outcome
