"""How a matched rule becomes one message on each of its channels, whatever is duplicated, interrupted or refused on the way.

The alert's record is written first, then the cooldown is held, then each channel gets its slot and its message; what became of it
is recorded before the cooldown starts. After a crash between any two of these, the next attempt finds what is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import alert as alerts
from imagewatch.alerts.alert import FAILED, PENDING, QUEUED, SENT, SUPPRESSED, Alert
from imagewatch.alerts.cooldown import Suppressed, Window, channels_of, window_of
from imagewatch.aws import channels, links, rate_limiter
from imagewatch.aws.channels import Channel, Message
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.errors import ChannelGone, ChannelRefused, ImagewatchError, Throttled, TransientError
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger
from imagewatch.services.alert_picture import AnnotatedPicture

SENT_BEFORE = "SentBefore"
MUTED = "Muted"
OUTCOMES = ("Sent", SENT_BEFORE, "Suppressed", "Queued", "Failed", MUTED)

SLOT_PATIENCE = timestamps.SECOND
URGENT_PATIENCE = 20 * timestamps.SECOND
MAX_ATTEMPTS = 6  # of an urgent alert on one channel; then even it is better told in a digest than never

_UNRECORDED = "UNRECORDED"  # in memory only, while the record is being written
_OUTCOME = {SENT: "Sent", QUEUED: "Queued", FAILED: "Failed", SUPPRESSED: "Suppressed"}
Record = Mapping[str, Any]
Deliveries = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Opened:
    """A matched rule and its alert's record: None when the rule is muted; not `is_ours` when it is another sender's, or done."""

    rule: Record
    alert: dict[str, Any] | None
    is_ours: bool = False


class Delivery:
    """One image's alerts, in one attempt: how long it has waited for slots, and which channels fail, counts for all of them."""

    def __init__(self, image: ImageVersion, moderation: Mapping[str, Any], execution_arn: str, analysis_arn: str = "") -> None:
        """`execution_arn` is who sends; `analysis_arn` is the execution that analysed the image, if it is another one."""
        self._image = image
        self._moderation = moderation
        self._execution = execution_arn
        self._analysis = analysis_arn or execution_arn
        self._give_up_waiting = timestamps.now() + URGENT_PATIENCE
        self._channels: dict[str, Channel] = {}
        self._failing: dict[str, ImagewatchError] = {}

    def deliver(self, rule: Record) -> str:
        """Opens the rule's alert and sends it at once."""
        return self.send(self.open(rule))

    def open(self, rule: Record) -> Opened:
        """Writes the alert's record, unless the rule is muted. From here on it is told: if not by us, then by a digest."""
        if rule.get("Muted"):
            return Opened(rule, None)
        alert_id = alerts.alert_id(self._image, rule)
        return Opened(rule, *alerts_table.open_alert(alert_id, self._attributes(rule), self._execution))

    def send(self, opened: Opened) -> str:
        """One of OUTCOMES. Raises Throttled or Unavailable when a channel should be tried again; the alert then says why."""
        rule, alert = opened.rule, opened.alert
        if alert is None:
            return MUTED
        window = window_of(rule, self._image.source)
        if not opened.is_ours:
            logger.info("Alert is dealt with already.", alert_id=alert["AlertId"], status=alert["Status"])
            if alert["Status"] != PENDING:  # else another execution has it in hand
                _finish(alert, window)
            return SENT_BEFORE
        if window is None or _has_sent(alert):
            untold = _told_before(alert, window)
        else:
            held = cooldowns_table.acquire(window, alert["AlertId"])
            if held is None:
                return _suppress(alert, window)
            untold = held.untold
        try:
            return self._send(rule, alert, untold)
        finally:
            _finish(alert, window)

    def _attributes(self, rule: Record) -> dict[str, Any]:
        """What an alert keeps: the rule as it matched, and what a digest or a list shows of the image."""
        image = self._image
        return {
            "RuleId": rule["RuleId"],
            "RuleName": rule["Name"],
            "RuleVersion": rule.get("RuleVersion", 1),
            "Rule": rule,
            "Severity": rule.get("Severity", "warning"),
            "Channels": list(channels_of(rule)),
            "ImageId": image.image_id,
            "Version": image.version,
            "Bucket": image.bucket,
            "Key": image.key,
            "Source": image.source,
            "Link": links.image_url(image),
        }

    def _send(self, rule: Record, alert: dict[str, Any], untold: Suppressed | None) -> str:
        """Sends through each channel that is still to be served, and records after each how it went."""
        message = self._message(rule, alert, untold)
        deliveries = alert["Deliveries"] = _left_from_before(alert)
        delayed: ImagewatchError | None = None
        for channel_id in alert["Channels"]:
            before = deliveries.get(channel_id, _entry(PENDING))
            if before["Status"] != PENDING:
                continue
            attempts = before.get("Attempts", 0) + 1
            try:
                entry = self._through(channel_id, message, _is_urgent(rule) and attempts < MAX_ATTEMPTS)
            except TransientError as error:
                delayed, entry = error, _entry(PENDING, f"Not sent yet: {error}")
            deliveries[channel_id] = {**entry, "Attempts": attempts}
            if entry["Status"] == SENT and untold:
                alert |= {"SuppressedBefore": untold.count, "SuppressedSince": untold.since}
            self._record(alert, message.subject)
        if delayed:
            raise delayed
        _tell_operators(alert)
        return _OUTCOME.get(alert["Status"], "Sent")

    def _record(self, alert: dict[str, Any], subject: str) -> None:
        def write() -> str:
            return alerts_table.record(alert, alert["Deliveries"], Subject=subject, **_told(alert))

        alert["Status"] = _UNRECORDED
        alert["Status"] = retry_write(write, self._give_up_waiting)

    def _message(self, rule: Record, alert: dict[str, Any], untold: Suppressed | None) -> Message:
        history = links.history_url(self._analysis)
        written: Alert = alerts.compose(self._image, rule, self._moderation, alert["Link"], history, untold)
        about = {**alert, "Subject": written.subject, "SuppressedBefore": untold.count if untold else 0}
        picture = AnnotatedPicture(self._image, rule["RuleId"], rule["Matches"])
        return Message(written.subject, written.body, about, self._image, picture, alert["Link"])

    def _through(self, channel_id: str, message: Message, is_urgent: bool) -> dict[str, Any]:
        """What became of the message on this channel. Raises Throttled and Unavailable."""
        if channel_id in self._failing:
            raise self._failing[channel_id]
        try:
            channel = self._channels.get(channel_id) or self._channels.setdefault(channel_id, channels.load(channel_id))
            if not self._has_slot(channel, is_urgent):
                if is_urgent:
                    raise Throttled(f"The channel {channel_id} is busy; this alert waits for its turn.")
                return _entry(QUEUED, "More matched than the channel may be sent one by one.")
            message_id = channel.send(message)
            return {**_entry(SENT), "MessageId": message_id}
        except (ChannelRefused, ChannelGone) as error:
            return _entry(FAILED, f"Could not be sent: {error}")
        except TransientError as error:
            if isinstance(error, Throttled) and error.retry_after and not is_urgent:
                return _entry(QUEUED, str(error))
            self._failing[channel_id] = error
            raise

    def _has_slot(self, channel: Channel, is_urgent: bool) -> bool:
        left = max(self._give_up_waiting - timestamps.now(), 0)
        patience = URGENT_PATIENCE if is_urgent else SLOT_PATIENCE
        return rate_limiter.wait_for_channel_slot(channel.channel_id, channel.kind, min(patience, left))


def _suppress(alert: dict[str, Any], window: Window) -> str:
    """Counts first, records second, and takes the token away third: a crash in between counts neither twice nor never."""
    cooldowns_table.suppress(window, alert["AlertId"])
    reason = "Another alert of this rule was sent, or is being sent; the next one counts this match."
    alerts_table.record(alert, {channel: _entry(SUPPRESSED, reason) for channel in alert["Channels"]})
    cooldowns_table.forget(window.cooldown_id, alert["AlertId"])
    logger.info("Alert suppressed by its rule's cooldown.", alert_id=alert["AlertId"], rule=alert["RuleName"])
    count("AlertsSuppressed")
    return _OUTCOME[SUPPRESSED]


def _finish(alert: Record, window: Window | None) -> None:
    """Brings the cooldown to where the alert's record says that it must be; changes nothing where it is there already.

    What could not be recorded is left as a crash leaves it: the cooldown is held for the retry, which begins from the record.
    """
    if window is None or alert["Status"] == _UNRECORDED:
        return
    if alert["Status"] == SUPPRESSED:
        cooldowns_table.forget(window.cooldown_id, alert["AlertId"])
    elif _has_sent(alert):
        sent_at = min(timestamps.moment(entry["At"]) for entry in alert["Deliveries"].values() if entry["Status"] == SENT)
        told = alert.get("SuppressedBefore", 0)
        cooldowns_table.settle(window.cooldown_id, alert["AlertId"], told, window.seconds, sent_at)
    else:
        cooldowns_table.release(window.cooldown_id, alert["AlertId"])


def _has_sent(alert: Record) -> bool:
    return any(entry["Status"] == SENT for entry in alert["Deliveries"].values())


def _left_from_before(alert: Record) -> Deliveries:
    """The deliveries that count: an alert that had failed altogether is begun again."""
    deliveries: Deliveries = dict(alert["Deliveries"])
    return {} if all(entry["Status"] == FAILED for entry in deliveries.values()) else deliveries


def _told_before(alert: Record, window: Window | None) -> Suppressed | None:
    """What the channels that had their message were told; the others are told the same."""
    if window is None or "SuppressedBefore" not in alert:
        return None
    return Suppressed(alert["SuppressedBefore"], alert["SuppressedSince"], window.seconds)


def _told(alert: Record) -> dict[str, Any]:
    return {name: alert[name] for name in ("SuppressedBefore", "SuppressedSince") if name in alert}


def _entry(status: str, reason: str = "") -> dict[str, Any]:
    return alerts.entry(status, timestamps.iso_now(), reason)


def _is_urgent(rule: Record) -> bool:
    """Whether it may not wait for a digest; it waits for the channel's rate like everything else."""
    return rule.get("Severity") == "critical" and bool(rule.get("BypassQuietHours"))


def _tell_operators(alert: Record) -> None:
    about = {"alert_id": alert["AlertId"], "rule": alert["RuleName"]}
    for channel_id, entry in alert["Deliveries"].items():
        if entry["Status"] == FAILED:
            logger.error("Alert could not be sent.", channel=channel_id, reason=entry["Reason"], **about)
            count("AlertsFailed")
    if alert["Status"] == SENT:
        logger.info("Alert sent.", **about)
        count("AlertsSent")
    elif alert["Status"] == QUEUED:
        logger.info("Alert waits for a digest.", **about)
        count("AlertsQueued")
