"""Turns matched rules into messages on their channels: once, in spite of duplicates, crashes and refusals.

The alert's record is written first, then the cooldown is leased, then each channel gets its slot and its message. The outcome is
recorded before the cooldown starts. After a crash between any two of these steps, the next attempt finds what is left to do.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import alert_text
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SENT, SUPPRESSED, Alert, Delivery
from imagewatch.alerts.cooldown import CooldownScope, Suppressed, cooldown_scope
from imagewatch.alerts.messages import Message, Picture
from imagewatch.aws import channels, links, rate_limiter
from imagewatch.aws.channels import Channel
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, TransientError
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger

SENT_BEFORE = "SentBefore"
MUTED = "Muted"
OUTCOMES = ("Sent", SENT_BEFORE, "Suppressed", "Queued", "Failed", MUTED)

SLOT_PATIENCE = timestamps.SECOND
URGENT_PATIENCE = 20 * timestamps.SECOND
MAX_ATTEMPTS = 6  # of an urgent alert on one channel; after that it waits for a digest too

_OUTCOME = {SENT: "Sent", QUEUED: "Queued", FAILED: "Failed", SUPPRESSED: "Suppressed"}
_SUPPRESSED_REASON = "Another alert of this rule was sent, or is being sent; the next one counts this match."
MatchedRule = Mapping[str, Any]


@dataclass(frozen=True)
class RecordedAlert:
    """A matched rule and the record of its alert."""

    rule: MatchedRule
    alert: Alert | None
    """None when the rule is muted."""
    is_owned: bool = False
    """False when the alert is finished, or leased to another sender."""


class AlertSender:
    """Sends one image's alerts in one attempt. Time spent on slots and failures of channels apply to all of them."""

    def __init__(self, image: ImageVersion, moderation: Mapping[str, Any], execution_arn: str, analysis_arn: str = "") -> None:
        """`execution_arn` is the sender; `analysis_arn` is the execution that analysed the image, if that is another one."""
        self._image = image
        self._moderation = moderation
        self._execution = execution_arn
        self._analysis = analysis_arn or execution_arn
        self._give_up_waiting = timestamps.now() + URGENT_PATIENCE
        self._channels: dict[str, Channel] = {}
        self._failing: dict[str, TransientError] = {}
        self._unrecorded: set[str] = set()  # ids of alerts whose last outcome could not be written

    def record_and_send(self, rule: MatchedRule) -> str:
        """Records the rule's alert and sends it at once."""
        return self.send(self.record(rule))

    def record(self, rule: MatchedRule) -> RecordedAlert:
        """Writes the alert's record, unless the rule is muted. From then on it is sent: by this sender, or in a digest."""
        if rule.get("Muted"):
            return RecordedAlert(rule, None)
        alert = Alert.of(self._image, rule, links.image_url(self._image))
        return RecordedAlert(rule, *alerts_table.create_or_lease(alert, self._execution))

    def send(self, recorded: RecordedAlert) -> str:
        """One of OUTCOMES. Raises TransientError when a channel is to be retried; the alert's record then says why."""
        alert = recorded.alert
        if alert is None:
            return MUTED
        scope = cooldown_scope(recorded.rule, self._image.source)
        if not recorded.is_owned:
            logger.info("The alert is finished, or another execution sends it.", alert_id=alert.alert_id, status=alert.status)
            if alert.status != PENDING:
                self._update_cooldown(alert, scope)
            return SENT_BEFORE
        if scope is None or alert.is_sent:
            unreported = _reported_before(alert, scope)
        else:
            lease = cooldowns_table.acquire_lease(scope, alert.alert_id)
            if lease is None:
                return _suppress(alert, scope)
            unreported = lease.unreported
        try:
            return self._send(recorded.rule, alert, unreported)
        finally:
            self._update_cooldown(alert, scope)

    def _send(self, rule: MatchedRule, alert: Alert, unreported: Suppressed | None) -> str:
        """Sends through each channel that is pending, and records the outcome after each."""
        message = self._message(rule, alert, unreported)
        if all(delivery.status == FAILED for delivery in alert.deliveries.values()):
            alert.deliveries = {}  # an alert that has failed altogether is sent again
        delayed: TransientError | None = None
        for channel_id in alert.channels:
            before = alert.delivery(channel_id)
            if before.status != PENDING:
                continue
            attempts = before.attempts + 1
            try:
                delivery = self._deliver(channel_id, message, _is_urgent(rule) and attempts < MAX_ATTEMPTS)
            except TransientError as error:
                delayed, delivery = error, _delivery(PENDING, f"Not sent yet: {error}")
            alert.deliveries[channel_id] = replace(delivery, attempts=attempts)
            if delivery.status == SENT and unreported:
                alert.suppressed_before, alert.suppressed_since = unreported.count, unreported.since
            self._write(alert, message.subject)
        if delayed:
            raise delayed
        _report_outcome(alert)
        return _OUTCOME.get(alert.status, "Sent")

    def _write(self, alert: Alert, subject: str) -> None:
        self._unrecorded.add(alert.alert_id)
        retry_write(lambda: alerts_table.write_deliveries(alert, Subject=subject), self._give_up_waiting)
        self._unrecorded.discard(alert.alert_id)

    def _message(self, rule: MatchedRule, alert: Alert, unreported: Suppressed | None) -> Message:
        history = links.history_url(self._analysis)
        text = alert_text.compose(self._image, rule, self._moderation, alert.link, history, unreported)
        about = replace(alert, suppressed_before=unreported.count if unreported else 0)
        picture = functools.cache(lambda: self._picture(alert))
        return Message(text.subject, text.body, about, None, self._image, picture, alert.link)

    def _picture(self, alert: Alert) -> Picture:
        # Imported when a channel asks for the picture: e-mails carry none.
        from imagewatch.services.alert_picture import AnnotatedPicture

        return AnnotatedPicture(self._image, alert.rule_id, alert.matches)

    def _deliver(self, channel_id: str, message: Message, is_urgent: bool) -> Delivery:
        """Sends the message through a channel. Raises TransientError."""
        if channel_id in self._failing:
            raise self._failing[channel_id]
        try:
            channel = self._channels.get(channel_id) or self._channels.setdefault(channel_id, channels.load(channel_id))
            if not self._has_slot(channel, is_urgent):
                if is_urgent:
                    raise Throttled(f"The channel {channel_id} is busy; this alert waits for its slot.")
                return _delivery(QUEUED, "The channel's rate limit is reached.")
            return replace(_delivery(SENT), message_id=channel.send(message))
        except (ChannelRefused, ChannelGone) as error:
            return _delivery(FAILED, f"Could not be sent: {error}")
        except TransientError as error:
            if isinstance(error, Throttled) and error.retry_after and not is_urgent:
                return _delivery(QUEUED, str(error))
            self._failing[channel_id] = error
            raise

    def _has_slot(self, channel: Channel, is_urgent: bool) -> bool:
        left = max(self._give_up_waiting - timestamps.now(), 0)
        patience = URGENT_PATIENCE if is_urgent else SLOT_PATIENCE
        return rate_limiter.wait_for_channel_slot(channel.channel_id, channel.kind, min(patience, left))

    def _update_cooldown(self, alert: Alert, scope: CooldownScope | None) -> None:
        """Brings the cooldown in line with the alert's record; changes nothing where it is so already.

        The lease of an alert whose outcome could not be recorded stays, as after a crash: the retry begins from the record.
        """
        if scope is None or alert.alert_id in self._unrecorded:
            return
        if alert.status == SUPPRESSED:
            cooldowns_table.remove_token(scope.cooldown_id, alert.alert_id)
        elif alert.is_sent:
            sent_at = min(timestamps.moment(entry.at) for entry in alert.deliveries.values() if entry.status == SENT)
            cooldowns_table.complete_lease(
                scope.cooldown_id, alert.alert_id, alert.suppressed_before, scope.seconds, sent_at
            )  # fmt: skip
        else:
            cooldowns_table.release_lease(scope.cooldown_id, alert.alert_id)


def _suppress(alert: Alert, scope: CooldownScope) -> str:
    """Counts first, records second, and removes the token third: after a crash in between, the match is counted exactly once."""
    cooldowns_table.count_suppressed(scope, alert.alert_id)
    alert.deliveries = {channel_id: _delivery(SUPPRESSED, _SUPPRESSED_REASON) for channel_id in alert.channels}
    alerts_table.write_deliveries(alert)
    cooldowns_table.remove_token(scope.cooldown_id, alert.alert_id)
    logger.info("The rule's cooldown suppressed the alert.", alert_id=alert.alert_id, rule=alert.rule_name)
    count("AlertsSuppressed")
    return _OUTCOME[SUPPRESSED]


def _reported_before(alert: Alert, scope: CooldownScope | None) -> Suppressed | None:
    """The count that the channels which have the message already have reported; the other channels report the same."""
    if scope is None or not alert.suppressed_since:
        return None
    return Suppressed(alert.suppressed_before, alert.suppressed_since, scope.seconds)


def _delivery(status: str, reason: str = "") -> Delivery:
    return Delivery(status, timestamps.iso_now(), reason)


def _is_urgent(rule: MatchedRule) -> bool:
    """Whether the alert may not wait for a digest. It waits for the channel's slot like every other alert."""
    return rule.get("Severity") == "critical" and bool(rule.get("BypassQuietHours"))


def _report_outcome(alert: Alert) -> None:
    about: dict[str, Any] = {"alert_id": alert.alert_id, "rule": alert.rule_name}
    for channel_id, delivery in alert.deliveries.items():
        if delivery.status == FAILED:
            logger.error("Alert could not be sent.", channel=channel_id, reason=delivery.reason, **about)
            count("AlertsFailed")
    if alert.status == SENT:
        logger.info("Alert sent.", **about)
        count("AlertsSent")
    elif alert.status == QUEUED:
        logger.info("Alert waits for a digest.", **about)
        count("AlertsQueued")
