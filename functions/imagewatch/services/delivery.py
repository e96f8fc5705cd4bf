"""Turns the matched rules of one image into messages on their channels: once, in spite of duplicates, crashes and refusals.

Each alert's record is written first, then its rule's cooldown is leased, then each channel gets its slot and one message about
all the image's alerts that go there. The outcome is recorded before the cooldowns start. After a crash between any two of these
steps, the next attempt finds what is left to do. Alerts of rules that ask for digests take no slot: they are queued at once.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import alert_text
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SENT, SUPPRESSED, Alert, Delivery
from imagewatch.alerts.channel import EMAIL
from imagewatch.alerts.cooldown import CooldownScope, Suppressed, channels_of, cooldown_scope
from imagewatch.alerts.messages import Message, Picture
from imagewatch.aws import channels, links, rate_limiter
from imagewatch.aws.channels import Channel
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, TransientError, Unavailable
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger
from imagewatch.rules.model import DIGEST

SENT_BEFORE = "SentBefore"
MUTED = "Muted"
OUTCOMES = ("Sent", SENT_BEFORE, "Suppressed", "Queued", "Failed", MUTED)

SLOT_PATIENCE = timestamps.SECOND
URGENT_PATIENCE = 20 * timestamps.SECOND
MAX_ATTEMPTS = 6  # of an urgent alert on one channel; after that it waits for a digest too
MAX_ALERTS_PER_MESSAGE = 20  # a few of DynamoDB's 100 for one transaction, and short enough to be read

_OUTCOME = {SENT: "Sent", QUEUED: "Queued", FAILED: "Failed", SUPPRESSED: "Suppressed"}
MatchedRule = Mapping[str, Any]


@dataclass(frozen=True)
class _Recorded:
    """A matched rule and the record of its alert."""

    rule: MatchedRule
    alert: Alert | None
    """None when the rule is muted."""
    is_owned: bool = False
    """False when the alert is finished, or leased to another sender."""


@dataclass(frozen=True)
class _Due:
    """An alert that this sender is to send, the cooldown that it has leased, and the count that its message reports."""

    alert: Alert
    scope: CooldownScope | None
    unreported: Suppressed | None

    def is_urgent(self, channel_id: str) -> bool:
        """Whether the alert may not wait for a digest of this channel. It waits for the channel's slot like every other alert."""
        rule, attempts = self.alert.rule, self.alert.delivery(channel_id).attempts + 1
        return rule.get("Severity") == "critical" and bool(rule.get("BypassQuietHours")) and attempts < MAX_ATTEMPTS

    def as_reported(self) -> Alert:
        """The alert as its message shows it: with the count that the message reports."""
        return replace(self.alert, suppressed_before=self.unreported.count if self.unreported else 0)


class _Refused(Exception):
    """A channel that works refused one message."""


class AlertSender:
    """Sends one image's alerts in one attempt. Time spent on slots and failures of channels apply to all of them."""

    def __init__(self, image: ImageVersion, moderation: Mapping[str, Any], execution_arn: str, analysis_arn: str = "") -> None:
        """`execution_arn` is the sender; `analysis_arn` is the execution that analysed the image, if that is another one."""
        self.outcomes = Counter[str]()
        self._errors: list[Exception] = []
        self._image = image
        self._moderation = moderation
        self._execution = execution_arn
        self._analysis = analysis_arn or execution_arn
        self._give_up_waiting = timestamps.now() + URGENT_PATIENCE
        self._channels: dict[str, Channel] = {}
        self._failing: dict[str, TransientError] = {}
        self._attempted: set[tuple[str, str]] = set()  # (alert id, channel id)
        self._unrecorded: set[str] = set()  # ids of alerts whose last outcome could not be written

    def record_and_send(self, rules: Sequence[MatchedRule], has_time: Callable[[], bool] = lambda: True) -> None:
        """Adds to `outcomes`. Raises the first transient error, or else the first other one, after all alerts had their attempt.

        All alerts are recorded before the first message. No message is begun without `has_time`.
        """
        recorded = [one for rule in rules if (one := self._guarded(rule, functools.partial(self._record, rule)))]
        due = [one for each in recorded if (one := self._guarded(each.rule, functools.partial(self._prepare, each)))]
        for one in due:
            if one.alert.rule.get("Delivery") == DIGEST:
                self._guarded(one.alert.rule, functools.partial(self._queue, one.alert))
        try:
            self._send(due, has_time)
        finally:
            for one in due:
                self._guarded(one.alert.rule, functools.partial(self._update_cooldown, one.alert, one.scope))
        for one in due:
            if one.alert.status != PENDING and one.alert.alert_id not in self._unrecorded:
                self.outcomes[_OUTCOME.get(one.alert.status, "Sent")] += 1
                _report_outcome(one.alert)
        if self._errors:
            raise next((error for error in self._errors if isinstance(error, TransientError)), self._errors[0])

    def _record(self, rule: MatchedRule) -> _Recorded:
        """Writes the alert's record, unless the rule is muted. From then on it is sent: by this sender, or in a digest."""
        if rule.get("Muted"):
            return _Recorded(rule, None)
        alert = Alert.of(self._image, rule, links.image_url(self._image))
        return _Recorded(rule, *alerts_table.create_or_lease(alert, self._execution))

    def _queue(self, alert: Alert) -> None:
        """Queues the alert's pending deliveries for the next digest."""
        for channel_id in alert.channels:
            before = alert.delivery(channel_id)
            if before.status == PENDING:
                queued = _delivery(QUEUED, "The rule asks for digests.")
                alert.deliveries[channel_id] = replace(queued, attempts=before.attempts, fallback_for=before.fallback_for)
        self._write([alert])

    def _send(self, due: Sequence[_Due], has_time: Callable[[], bool]) -> None:
        for channel_id, group in self._groups(due):
            if not has_time():
                self._errors.append(Unavailable("Not all alerts could be sent in the time of one attempt. The next continues."))
                return
            self._guarded(group[0].alert.rule, functools.partial(self._send_group, channel_id, group))

    def _guarded(self, rule: MatchedRule, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except Exception as error:  # noqa: BLE001 (raised after the other alerts)
            logger.warning(
                "An alert could not be processed.", rule=rule.get("Name"), error=type(error).__name__, reason=str(error)
            )
            self._errors.append(error)
            return None

    def _prepare(self, recorded: _Recorded) -> _Due | None:
        """Leases the alert's cooldown; None when this sender is not to send the alert, whose outcome is counted then."""
        alert = recorded.alert
        if alert is None:
            self.outcomes[MUTED] += 1
            return None
        scope = cooldown_scope(recorded.rule, self._image.source)
        if not recorded.is_owned:
            logger.info("The alert is finished, or another execution sends it.", alert_id=alert.alert_id, status=alert.status)
            if alert.status != PENDING:
                self._update_cooldown(alert, scope)
            self.outcomes[SENT_BEFORE] += 1
            return None
        alert.rule = recorded.rule
        if all(delivery.status == FAILED for delivery in alert.deliveries.values()):
            alert.deliveries, alert.channels = {}, channels_of(recorded.rule)  # one that has failed altogether is sent again
        if scope is None or alert.is_sent:
            return _Due(alert, scope, _reported_before(alert, scope))
        lease = cooldowns_table.acquire_lease(scope, alert.alert_id)
        if lease is None:
            _suppress(alert, scope)
            self.outcomes[_OUTCOME[SUPPRESSED]] += 1
            return None
        return _Due(alert, scope, lease.unreported)

    def _groups(self, due: Sequence[_Due]) -> Iterator[tuple[str, list[_Due]]]:
        """The alerts of each message, channel by channel. Alerts that failed on all their channels go to e-mail last."""
        for channel_id in dict.fromkeys(channel_id for one in due for channel_id in one.alert.channels):
            yield from self._portions(channel_id, due)
        for one in due:
            if one.alert.add_fallback(timestamps.iso_now()):
                logger.warning("All channels of an alert failed. It is sent by e-mail.", alert_id=one.alert.alert_id)
        yield from self._portions(EMAIL, due)

    def _portions(self, channel_id: str, due: Sequence[_Due]) -> Iterator[tuple[str, list[_Due]]]:
        pending = [
            one
            for one in due
            if channel_id in one.alert.channels
            and one.alert.delivery(channel_id).status == PENDING
            and (one.alert.alert_id, channel_id) not in self._attempted
            and one.alert.alert_id not in self._unrecorded
        ]
        self._attempted |= {(one.alert.alert_id, channel_id) for one in pending}
        for start in range(0, len(pending), MAX_ALERTS_PER_MESSAGE):
            yield channel_id, pending[start : start + MAX_ALERTS_PER_MESSAGE]

    def _send_group(self, channel_id: str, group: Sequence[_Due]) -> None:
        """Sends one message about these alerts through the channel, and records the outcome on all of them in one write.

        If a message about several alerts is refused or can't be made, each alert gets a message: one of them is the cause.
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
                self._split(channel_id, group)
                return
            outcome = _delivery(FAILED, f"Could not be sent: {error}")
        except Exception as error:  # not the channel's failure: recorded, and raised after the other alerts
            if len(group) > 1:
                self._split(channel_id, group)
                return
            self._write_outcome(channel_id, group, _delivery(PENDING, f"Not sent yet: {error}"), "")
            raise
        if outcome.status == QUEUED and is_urgent:
            self._failing[channel_id] = Throttled(f"{outcome.reason} An urgent alert waits for its slot.")
        self._write_outcome(channel_id, group, outcome, message.subject)
        if any(one.alert.delivery(channel_id).status == PENDING for one in group):
            raise self._failing[channel_id]

    def _split(self, channel_id: str, group: Sequence[_Due]) -> None:
        for one in group:
            self._guarded(one.alert.rule, functools.partial(self._send_group, channel_id, [one]))

    def _write_outcome(self, channel_id: str, group: Sequence[_Due], outcome: Delivery, subject: str) -> None:
        for one in group:
            delivery, before = outcome, one.alert.delivery(channel_id)
            if outcome.status == QUEUED and one.is_urgent(channel_id):
                delivery = _delivery(PENDING, f"Not sent yet: {outcome.reason}")
            fields: dict[str, Any] = {"attempts": before.attempts + 1, "fallback_for": before.fallback_for}
            one.alert.deliveries[channel_id] = replace(delivery, **fields)
            if delivery.status == SENT and one.unreported:
                one.alert.suppressed_before, one.alert.suppressed_since = one.unreported.count, one.unreported.since
        self._write([one.alert for one in group], Subject=subject)

    def _write(self, alerts: Sequence[Alert], **attributes: Any) -> None:
        ids = {alert.alert_id for alert in alerts}
        self._unrecorded |= ids
        retry_write(lambda: alerts_table.write_all_deliveries(alerts, **attributes), self._give_up_waiting)
        self._unrecorded -= ids

    def _message(self, channel_id: str, group: Sequence[_Due]) -> Message:
        entries = alert_text.by_severity([alert_text.Entry(one.as_reported(), one.unreported) for one in group])
        alerts = [entry.alert for entry in entries]
        failed = dict.fromkeys(name for alert in alerts for name in alert.delivery(channel_id).fallback_for)
        note = f"This message is sent by e-mail because these channels failed: {', '.join(failed)}." if failed else ""
        text = alert_text.compose(self._image, entries, self._moderation, links.history_url(self._analysis), note)
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


def _suppress(alert: Alert, scope: CooldownScope) -> None:
    """Counts first, records second, and removes the token third: after a crash in between, the match is counted exactly once."""
    cause = cooldowns_table.count_suppressed(scope, alert.alert_id)
    by = f" (alert or digest {cause})" if cause else ""
    reason = f"Its cooldown of {scope.seconds} seconds runs, or another alert of its rule is being sent{by}."
    alert.suppressed_by = cause
    alert.deliveries = {channel_id: _delivery(SUPPRESSED, reason) for channel_id in alert.channels}
    alerts_table.write_deliveries(alert)
    cooldowns_table.remove_token(scope.cooldown_id, alert.alert_id)
    logger.info(
        "The rule's cooldown suppressed the alert.", alert_id=alert.alert_id, rule=alert.rule_name, suppressed_by=cause
    )  # fmt: skip
    count("AlertsSuppressed")


def _reported_before(alert: Alert, scope: CooldownScope | None) -> Suppressed | None:
    """The count that the channels which have the message already have reported; the other channels report the same."""
    if scope is None or not alert.suppressed_since:
        return None
    return Suppressed(alert.suppressed_before, alert.suppressed_since, scope.seconds)


def _delivery(status: str, reason: str = "") -> Delivery:
    return Delivery(status, timestamps.iso_now(), reason)


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
