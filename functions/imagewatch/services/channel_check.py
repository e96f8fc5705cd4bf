"""Checks the channels without a message that people see, tests them with one, and reports dead channels."""

from __future__ import annotations

from collections.abc import Sequence

from imagewatch import timestamps
from imagewatch.alerts.channel import DISABLED, EMAIL, FAILING, NOTICE, OK, TEST, UNCHECKED, ChannelRecord, Message
from imagewatch.alerts.channel_health import ChannelTest, Health, notice
from imagewatch.aws import channels
from imagewatch.aws.channels import email
from imagewatch.aws.clients import ClientError, client, translated
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import channels as channels_table
from imagewatch.errors import ChannelGone, ChannelRefused, ImagewatchError, Throttled, Unavailable
from imagewatch.observability import logger


def check_all() -> list[Health]:
    """Checks every channel that its owner has not disabled, and records the results."""
    return [_check(record) for record in _enabled()]


def test(channel_id: str) -> ChannelTest:
    """Sends a test through one channel, as an alert would be sent.

    The outcome is recorded as the channel's health. Not for e-mail: that SNS accepts a message says nothing about subscribers.
    """
    message = Message(
        f"Test of the channel {channel_id}"[:99],
        "This is a test by `imagewatch alerts test`. Alerts that your rules send through this channel arrive here.",
        kind=TEST,
    )
    kind = ""
    try:
        channel = channels.load(channel_id)
        kind = channel.kind
        answer = _send_test(channel, message)
        return ChannelTest(channel_id, kind, True, answer)
    except ImagewatchError as error:
        logger.warning("The test could not be sent.", channel=channel_id, reason=str(error))
        return ChannelTest(channel_id, kind, False, str(error))


def report_dead(dead: Sequence[Health], alive: Sequence[Health]) -> None:
    """Reports dead channels through the operations topic. If that has no subscribers, through every channel that works."""
    subject, body = notice(dead)
    topic = setting("OPERATIONS_TOPIC_ARN")
    with translated():
        client("sns").publish(TopicArn=topic, Subject=subject, Message=body)
    if not email.subscribers(topic).confirmed:
        for health in alive:
            try:
                channels.load(health.channel_id).send(Message(subject, body, kind=NOTICE))
            except ImagewatchError as error:
                logger.warning("A working channel did not accept the notice.", channel=health.channel_id, reason=str(error))
    for health in dead:
        if health.status == DISABLED:
            channels_table.complete_report(health.channel_id)


def report_disabled(channel_id: str, sender: str) -> None:
    """Reports at once, through the working channels, that an answer to a message has disabled this one. One sender does it.

    What fails here is logged: the daily check reports the channel again.
    """
    try:
        if not channels_table.lease_report(channel_id, sender):
            return
        records = {record.channel_id: record for record in _enabled()}
        if disabled := records.pop(channel_id, None):
            health = [Health(other.channel_id, other.kind, OK, "") for other in records.values() if other.status != DISABLED]
            report_dead([Health(channel_id, disabled.kind, DISABLED, disabled.status_reason)], health)
        else:
            channels_table.complete_report(channel_id)
    except (ImagewatchError, ClientError) as error:
        logger.error("A disabled channel was not reported.", channel=channel_id, reason=str(error))


def _enabled() -> list[ChannelRecord]:
    """Every channel that its owner has not disabled, by id."""
    records = {record.channel_id: record for record in channels_table.read_all()}
    records.setdefault(EMAIL, ChannelRecord(EMAIL, EMAIL))
    return [record for _, record in sorted(records.items()) if record.enabled]


def _check(record: ChannelRecord) -> Health:
    try:
        status, reason = channels.known(record.channel_id, record).check()
    except ChannelGone as gone:
        status, reason = DISABLED, str(gone)
    except Throttled as throttled:  # it answers, so it works
        status, reason = OK if record.status == UNCHECKED else record.status, str(throttled)
    except (Unavailable, ChannelRefused) as error:
        status, reason = FAILING, str(error)
    channels_table.write_status(record, status, reason, timestamps.iso_now())
    return Health(record.channel_id, record.kind, status, reason)


def _send_test(channel: channels.Channel, message: Message) -> str:
    """Sends, and records what that says about the channel. `send` itself has recorded a pause and a missing address."""
    try:
        answer = channel.send(message)
    except (Unavailable, ChannelRefused) as error:
        _record_test(channel, FAILING, str(error))
        raise
    _record_test(channel, OK, f"accepted a test ({answer})")
    return answer


def _record_test(channel: channels.Channel, status: str, reason: str) -> None:
    if channel.channel_id == EMAIL:
        return
    try:
        channels_table.write_status(channel.record, status, reason, timestamps.iso_now())
    except ImagewatchError as error:  # the outcome of the test itself is known
        logger.warning("The outcome of a test was not recorded.", channel=channel.channel_id, reason=str(error))
