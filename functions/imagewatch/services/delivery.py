"""Alerts people about the matched rules of one image: once, in spite of duplicates, crashes and refusals.

Each alert's record is written first, then its rule's cooldown is leased, then the alerts are sent (`alert_messages`). Outcomes
are recorded before cooldowns start. After a crash between any two of these steps, the next attempt finds what is left to do.
Alerts of rules that ask for digests take no slot: they are queued at once.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SENT, SUPPRESSED, Alert, Delivery
from imagewatch.alerts.cooldown import CooldownScope, Suppressed, channels_of, cooldown_scope
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.errors import TransientError, Unavailable
from imagewatch.images.links import image_url
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger
from imagewatch.rules.matched_rule import DIGEST, MatchedRule
from imagewatch.services.alert_messages import AlertMessages, DueAlert

SENT_BEFORE = "SentBefore"
MUTED = "Muted"
OUTCOMES = ("Sent", SENT_BEFORE, "Suppressed", "Queued", "Failed", MUTED)

_OUTCOME = {SENT: "Sent", QUEUED: "Queued", FAILED: "Failed", SUPPRESSED: "Suppressed"}


@dataclass(frozen=True)
class _Recorded:
    """A matched rule and the record of its alert."""

    rule: MatchedRule
    alert: Alert | None
    """None when the rule is muted."""
    is_owned: bool = False
    """False when the alert is finished, or leased to another sender."""


class AlertSender:
    """Sends one image's alerts in one attempt."""

    def __init__(self, image: ImageVersion, moderation: Mapping[str, Any], execution_arn: str, analysis_arn: str = "") -> None:
        """`execution_arn` is the sender; `analysis_arn` is the execution that analysed the image, if that is another one."""
        self.outcomes = Counter[str]()
        self._errors: list[Exception] = []
        self._image = image
        self._execution = execution_arn
        self._messages = AlertMessages(image, moderation, execution_arn, analysis_arn or execution_arn)

    def record_and_send(self, rules: Sequence[MatchedRule], has_time: Callable[[], bool] = lambda: True) -> None:
        """Adds to `outcomes`. Raises the first transient error, or else the first other one, after all alerts had their attempt.

        All alerts are recorded before the first message. No message is begun without `has_time`.
        """
        recorded = [one for rule in rules if (one := self._guarded(rule, functools.partial(self._record, rule)))]
        due = [one for each in recorded if (one := self._guarded(each.rule, functools.partial(self._prepare, each)))]
        for one in due:
            if one.alert.rule.delivery == DIGEST:
                self._guarded(one.alert.rule, functools.partial(self._queue, one.alert))
        try:
            self._send(due, has_time)
        finally:
            for one in due:
                self._guarded(one.alert.rule, functools.partial(self._update_cooldown, one.alert, one.scope))
        for one in due:
            if one.alert.status != PENDING and one.alert.alert_id not in self._messages.unrecorded:
                self.outcomes[_OUTCOME.get(one.alert.status, "Sent")] += 1
                _report_outcome(one.alert)
        if self._errors:
            raise next((error for error in self._errors if isinstance(error, TransientError)), self._errors[0])

    def _record(self, rule: MatchedRule) -> _Recorded:
        """Writes the alert's record, unless the rule is muted. From then on it is sent: by this sender, or in a digest."""
        if rule.muted:
            return _Recorded(rule, None)
        link = image_url(self._image, setting("WEB_URL"), setting("AWS_REGION"))
        return _Recorded(rule, *alerts_table.create_or_lease(Alert.of(self._image, rule, link), self._execution))

    def _prepare(self, recorded: _Recorded) -> DueAlert | None:
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
            return DueAlert(alert, scope, _reported_before(alert, scope))
        lease = cooldowns_table.acquire_lease(scope, alert.alert_id)
        if lease is None:
            _suppress(alert, scope)
            self.outcomes[_OUTCOME[SUPPRESSED]] += 1
            return None
        return DueAlert(alert, scope, lease.unreported)

    def _queue(self, alert: Alert) -> None:
        """Queues the alert's pending deliveries for the next digest."""
        for channel_id in alert.channels:
            before = alert.delivery(channel_id)
            if before.status == PENDING:
                queued = Delivery(QUEUED, timestamps.iso_now(), "The rule asks for digests.")
                alert.deliveries[channel_id] = replace(queued, attempts=before.attempts, fallback_for=before.fallback_for)
        self._messages.write([alert])

    def _send(self, due: Sequence[DueAlert], has_time: Callable[[], bool]) -> None:
        for channel_id, group in self._messages.groups(due):
            if not has_time():
                self._errors.append(Unavailable("Not all alerts could be sent in the time of one attempt. The next continues."))
                return
            single = self._guarded(group[0].alert.rule, functools.partial(self._messages.send, channel_id, group))
            for one in single or ():
                self._guarded(one.alert.rule, functools.partial(self._messages.send, channel_id, [one]))

    def _guarded(self, rule: MatchedRule, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except Exception as error:  # noqa: BLE001 (raised after the other alerts)
            logger.warning("An alert could not be processed.", rule=rule.name, error=type(error).__name__, reason=str(error))
            self._errors.append(error)
            return None

    def _update_cooldown(self, alert: Alert, scope: CooldownScope | None) -> None:
        """Brings the cooldown in line with the alert's record; changes nothing where it is so already.

        The lease of an alert whose outcome could not be recorded stays, as after a crash: the retry begins from the record.
        """
        if scope is None or alert.alert_id in self._messages.unrecorded:
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
    alert.deliveries = {channel_id: Delivery(SUPPRESSED, timestamps.iso_now(), reason) for channel_id in alert.channels}
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
