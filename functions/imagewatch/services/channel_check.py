"""Looks after the channels: a check of each that people don't notice, a test that they do, and word of what is dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from imagewatch.alerts.channel_health import DISABLED, FAILING, OK, UNCHECKED, Health, notice
from imagewatch.alerts.messages import NOTICE, TEST, Message
from imagewatch.aws.channels import email as sns
from imagewatch.aws.channels import registry
from imagewatch.aws.clients import ClientError, client, translated
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import channels as channels_table
from imagewatch.errors import ChannelGone, ChannelRefused, ImagewatchError, Throttled, Unavailable
from imagewatch.observability import logger
from imagewatch.timestamps import iso_utc


def check_all() -> list[Health]:
    """Checks every channel that isn't switched off by its owner, and records what was found."""
    records = {record["ChannelId"]: record for record in channels_table.read_all()}
    records.setdefault(registry.EMAIL, {"ChannelId": registry.EMAIL})
    return [_checked(name, record) for name, record in sorted(records.items()) if record.get("Enabled") is not False]


def test(channel_id: str) -> dict[str, Any]:
    """Sends a test through one channel, as an alert would go; returns {ChannelId, Kind, Outcome: SENT | FAILED, Id | Reason}.

    What became of it is recorded as the channel's health, except for e-mail: that SNS takes a message says nothing of readers.
    """
    message = Message(
        f"Test of the channel {channel_id}"[:99],
        "This is a test by `imagewatch alerts test`. Alerts that your rules send through this channel arrive here.",
        {},
        kind=TEST,
    )
    kind = ""
    try:
        channel = registry.load(channel_id)
        kind = channel.kind
        said = _tried(channel, message)
        return {"ChannelId": channel_id, "Kind": kind, "Outcome": "SENT", "Id": said}
    except ImagewatchError as error:
        logger.warning("The test did not go out.", channel=channel_id, reason=str(error))
        return {"ChannelId": channel_id, "Kind": kind, "Outcome": "FAILED", "Reason": str(error)}


def tell(dead: Sequence[Health], alive: Sequence[Health]) -> None:
    """Tells of dead channels through the operations topic; where nobody listens to that, through every channel that lives."""
    subject, body = notice(dead)
    topic = setting("OPERATIONS_TOPIC_ARN")
    with translated():
        client("sns").publish(TopicArn=topic, Subject=subject, Message=body)
    if sns.subscribers(topic).confirmed:
        return
    for health in alive:
        try:
            registry.load(health.channel_id).send(Message(subject, body, {}, kind=NOTICE))
        except ImagewatchError as error:
            logger.warning("A living channel did not take the notice.", channel=health.channel_id, reason=str(error))


def _checked(channel_id: str, record: Mapping[str, Any]) -> Health:
    kind = str(record.get("Kind", "email" if channel_id == registry.EMAIL else ""))
    try:
        status, reason = registry.known(channel_id, record).check()
    except ChannelGone as gone:
        status, reason = DISABLED, str(gone)
    except Throttled as busy:  # it answers, so it lives
        status, reason = _known_status(record), str(busy)
    except (Unavailable, ChannelRefused, ClientError) as error:
        status, reason = FAILING, str(error)
    _note(record, channel_id, status, reason)
    return Health(channel_id, kind, status, reason)


def _tried(channel: registry.Channel, message: Message) -> str:
    """Sends, and notes what that says of the channel. One that asks for patience, or is gone, has been dealt with on the way."""
    try:
        said = channel.send(message)
    except (Unavailable, ChannelRefused) as error:
        _note_test(channel, FAILING, str(error))
        raise
    _note_test(channel, OK, f"took a test ({said})")
    return said


def _note_test(channel: registry.Channel, status: str, reason: str) -> None:
    if channel.channel_id == registry.EMAIL:
        return
    try:
        _note(channel.record, channel.channel_id, status, reason)
    except ImagewatchError as error:  # the test went as it went
        logger.warning("What a test showed was not recorded.", channel=channel.channel_id, reason=str(error))


def _note(record: Mapping[str, Any], channel_id: str, status: str, reason: str) -> None:
    channels_table.note_status(channel_id, record.get("UpdatedAt"), status, reason, iso_utc(datetime.now(UTC)))


def _known_status(record: Mapping[str, Any]) -> str:
    status = str(record.get("Status", OK))
    return OK if status == UNCHECKED else status
