"""Sends the alerts of one image in groups: on each channel, one message about all alerts that go there.

A message waits for its channel's slot. Each outcome is recorded on all alerts of the message in one write. If a message about
several alerts is refused, each of them gets a message. Alerts that fail on all their channels go to e-mail.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import alert_text
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SENT, Alert, Delivery
from imagewatch.alerts.channel import EMAIL, Message, Picture
from imagewatch.alerts.cooldown import CooldownScope, Suppressed
from imagewatch.aws import channels, rate_limiter
from imagewatch.aws.channels import Channel
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, TransientError
from imagewatch.images.links import history_url
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger

SLOT_PATIENCE = timestamps.SECOND
URGENT_PATIENCE = 20 * timestamps.SECOND
MAX_ATTEMPTS = 6  # of an urgent alert on one channel; after that it waits for a digest too
MAX_ALERTS_PER_MESSAGE = 20  # a few of DynamoDB's 100 for one transaction, and short enough to be read


@dataclass(frozen=True)
class DueAlert:
    """An alert that this sender is to send, the cooldown that it has leased, and the count that its message reports."""

    alert: Alert
    scope: CooldownScope | None
    unreported: Suppressed | None

    def is_urgent(self, channel_id: str) -> bool:
        """Whether the alert may not wait for a digest of this channel. It waits for the channel's slot like every other alert."""
        rule, attempts = self.alert.rule, self.alert.delivery(channel_id).attempts + 1
        return rule.severity == "critical" and rule.bypass_quiet_hours and attempts < MAX_ATTEMPTS

    def as_reported(self) -> Alert:
        """The alert as its message shows it: with the count that the message reports."""
        return replace(self.alert, suppressed_before=self.unreported.count if self.unreported else 0)


class _Refused(Exception):
    """A channel that works refused one message."""


class AlertMessages:
    """The messages of one attempt. Time spent on slots and failures of channels apply to all of them."""

    def __init__(self, image: ImageVersion, moderation: Mapping[str, Any], execution_arn: str, analysis_arn: str) -> None:
        self.unrecorded: set[str] = set()
        """The ids of alerts whose last outcome could not be written."""
        self._image = image
        self._moderation = moderation
        self._execution = execution_arn
        self._analysis = analysis_arn
        self._give_up_waiting = timestamps.now() + URGENT_PATIENCE
        self._channels: dict[str, Channel] = {}
        self._failing: dict[str, TransientError] = {}
        self._attempted: set[tuple[str, str]] = set()  # (alert id, channel id)

    def groups(self, due: Sequence[DueAlert]) -> Iterator[tuple[str, list[DueAlert]]]:
        """The alerts of each message, channel by channel. Alerts that failed on all their channels go to e-mail last."""
        for channel_id in dict.fromkeys(channel_id for one in due for channel_id in one.alert.channels):
            yield from self._portions(channel_id, due)
        for one in due:
            if one.alert.add_fallback(timestamps.iso_now()):
                logger.warning("All channels of an alert failed. It is sent by e-mail.", alert_id=one.alert.alert_id)
        yield from self._portions(EMAIL, due)

    def send(self, channel_id: str, group: Sequence[DueAlert]) -> Sequence[DueAlert]:
        """Sends one message about these alerts, and records the outcome. Raises TransientError if they are still pending.

        Returns the alerts to send one by one: a message about several was refused or can't be made, and one of them is the cause.
        """
        is_urgent = any(one.is_urgent(channel_id) for one in group)
        try:
            message = self._message(channel_id, group)
            outcome = self._deliver(channel_id, message, is_urgent)
        except TransientError as error:
            self._failing[channel_id] = error
            outcome = _delivery(PENDING, f"Not sent yet: {error}")
        except _Refused as error:
            if len(group) > 1:
                return group
            outcome = _delivery(FAILED, f"Could not be sent: {error}")
        except Exception as error:  # not the channel's failure: recorded, and raised
            if len(group) > 1:
                return group
            self._write_outcome(channel_id, group, _delivery(PENDING, f"Not sent yet: {error}"), "")
            raise
        if outcome.status == QUEUED and is_urgent:
            self._failing[channel_id] = Throttled(f"{outcome.reason} An urgent alert waits for its slot.")
        self._write_outcome(channel_id, group, outcome, message.subject)
        if any(one.alert.delivery(channel_id).status == PENDING for one in group):
            raise self._failing[channel_id]
        return ()

    def write(self, alerts: Sequence[Alert], **attributes: Any) -> None:
        """Writes the deliveries of the alerts, with retries. They are `unrecorded` if that fails."""
        ids = {alert.alert_id for alert in alerts}
        self.unrecorded |= ids
        retry_write(lambda: alerts_table.write_all_deliveries(alerts, **attributes), self._give_up_waiting)
        self.unrecorded -= ids

    def _portions(self, channel_id: str, due: Sequence[DueAlert]) -> Iterator[tuple[str, list[DueAlert]]]:
        pending = [
            one
            for one in due
            if channel_id in one.alert.channels
            and one.alert.delivery(channel_id).status == PENDING
            and (one.alert.alert_id, channel_id) not in self._attempted
            and one.alert.alert_id not in self.unrecorded
        ]
        self._attempted |= {(one.alert.alert_id, channel_id) for one in pending}
        for start in range(0, len(pending), MAX_ALERTS_PER_MESSAGE):
            yield channel_id, pending[start : start + MAX_ALERTS_PER_MESSAGE]

    def _write_outcome(self, channel_id: str, group: Sequence[DueAlert], outcome: Delivery, subject: str) -> None:
        for one in group:
            delivery, before = outcome, one.alert.delivery(channel_id)
            if outcome.status == QUEUED and one.is_urgent(channel_id):
                delivery = _delivery(PENDING, f"Not sent yet: {outcome.reason}")
            fields: dict[str, Any] = {"attempts": before.attempts + 1, "fallback_for": before.fallback_for}
            one.alert.deliveries[channel_id] = replace(delivery, **fields)
            if delivery.status == SENT and one.unreported:
                one.alert.suppressed_before, one.alert.suppressed_since = one.unreported.count, one.unreported.since
        self.write([one.alert for one in group], Subject=subject)

    def _message(self, channel_id: str, group: Sequence[DueAlert]) -> Message:
        entries = alert_text.by_severity([alert_text.Entry(one.as_reported(), one.unreported) for one in group])
        alerts = [entry.alert for entry in entries]
        failed = dict.fromkeys(name for alert in alerts for name in alert.delivery(channel_id).fallback_for)
        note = f"This message is sent by e-mail because these channels failed: {', '.join(failed)}." if failed else ""
        history = history_url(self._analysis, setting("WEB_URL"))
        text = alert_text.compose(self._image, entries, self._moderation, history, note)
        picture = functools.cache(lambda: self._picture(alerts))
        return Message(text.subject, text.body, alerts, None, self._image, picture, alerts[0].link, feedback=text.feedback)

    def _picture(self, alerts: Sequence[Alert]) -> Picture:
        # Imported when a channel asks for the picture: e-mails carry none.
        from imagewatch.services.alert_picture import AnnotatedPicture

        matches = [match for alert in alerts for match in alert.matches]
        return AnnotatedPicture(self._image, "+".join(alert.rule_id for alert in alerts), matches)

    def _deliver(self, channel_id: str, message: Message, is_urgent: bool) -> Delivery:
        """Sends the message through a channel. Raises TransientError, _Refused, and what is not the channel's failure."""
        if channel_id in self._failing:
            raise self._failing[channel_id]
        try:
            channel = self._channels.get(channel_id) or self._channels.setdefault(channel_id, channels.load(channel_id))
        except ChannelRefused as error:
            self._report_if_disabled(channel_id)
            return _delivery(FAILED, f"Could not be sent: {error}")
        if not self._has_slot(channel, is_urgent):
            return _delivery(QUEUED, "The channel's rate limit is reached.")
        try:
            return replace(_delivery(SENT), message_id=channel.send(message))
        except ChannelRefused as error:
            raise _Refused(str(error)) from error
        except ChannelGone as error:
            self._report_if_disabled(channel_id)
            return _delivery(FAILED, f"Could not be sent: {error}")
        except Throttled as error:
            if error.retry_after:
                return _delivery(QUEUED, str(error))
            raise

    def _report_if_disabled(self, channel_id: str) -> None:
        # Imported when a channel fails permanently.
        from imagewatch.services import channel_check

        channel_check.report_disabled(channel_id, self._execution)

    def _has_slot(self, channel: Channel, is_urgent: bool) -> bool:
        left = max(self._give_up_waiting - timestamps.now(), 0)
        patience = URGENT_PATIENCE if is_urgent else SLOT_PATIENCE
        return rate_limiter.wait_for_channel_slot(channel.channel_id, channel.kind, min(patience, left))


def _delivery(status: str, reason: str = "") -> Delivery:
    return Delivery(status, timestamps.iso_now(), reason)
