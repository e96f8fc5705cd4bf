"""Sends one digest, and marks its alerts and cooldowns by what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import digest_text
from imagewatch.alerts.alert import DIGESTED, FAILED, PENDING, QUEUED, SENT, Alert
from imagewatch.alerts.channel import DIGEST, Message
from imagewatch.alerts.cooldown import CooldownLease
from imagewatch.alerts.digest import Digest, ReportedCooldown, SuppressedCount
from imagewatch.aws import channels, rate_limiter
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.aws.tables import digests as digests_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, TransientError
from imagewatch.observability import count, logger
from imagewatch.services import channel_check
from imagewatch.services.digest_members import release_cooldowns, scopes_of

GIVE_UP_SECONDS = 24 * 3600  # a digest that could not be sent for so long is recorded as failed
SLOT_PATIENCE = 20 * timestamps.SECOND


class DigestSender:
    """Sends the digests of one run, and keeps what their outcomes say about the channels."""

    def __init__(self, stop_at: int) -> None:
        """After `stop_at` (microseconds since the epoch), writes are not retried."""
        self.outcome = {"Digests": 0, "Alerts": 0, "Suppressed": 0, "Failed": 0, "Delayed": 0}
        self.failing: dict[str, str] = {}
        """Channel id -> why it is to be retried later."""
        self.refusing: dict[str, str] = {}
        """Channel id -> why it has refused a digest permanently."""
        self.fallback: list[Alert] = []
        """Alerts whose channels have all failed, queued for e-mail."""
        self._stop_at = stop_at

    def finish(self, digest: Digest, members: list[Alert], leases: Sequence[CooldownLease]) -> str:
        """Sends the digest unless it was sent, and then marks everything that it contains. Returns its status.

        A digest that stays PENDING was not sent: a later run sends it, or another channel if it has counts only.
        """
        if digest.status == PENDING:
            try:
                digest = self._send(digest, members, leases)
            except (ChannelRefused, ChannelGone) as error:
                self.refusing[digest.channel_id] = str(error)
                channel_check.report_disabled(digest.channel_id, digest.digest_id)
                if not members:
                    self._record_failure(digest, leases, error)
                    return PENDING
                digest = self._fail(digest, f"Could not be sent: {error}")
            except TransientError as error:
                self.failing[digest.channel_id] = str(error)
                if not members or _age(digest) < GIVE_UP_SECONDS:
                    self._record_failure(digest, leases, error)
                    if members:
                        self.outcome["Delayed"] += 1
                        count("DigestsDelayed")
                    return PENDING
                digest = self._fail(digest, f"Given up after {GIVE_UP_SECONDS // 3600} hours: {error}")
        self._mark_contents(digest, members, leases)
        return digest.status

    def _send(self, digest: Digest, members: Sequence[Alert], leases: Sequence[CooldownLease]) -> Digest:
        """Sends the digest and records that; returns it as it is recorded."""
        counts = [_suppressed_count(lease, digest.channel_id) for lease in leases]
        channel = channels.load(digest.channel_id)
        with channels.border(digest.channel_id):
            text = digest_text.compose(members, counts, digest_text.max_bytes(channel.kind))
        if not rate_limiter.wait_for_channel_slot(channel.channel_id, channel.kind, SLOT_PATIENCE):
            raise Throttled(f"The channel {channel.channel_id} is busy.")
        with channels.border(digest.channel_id):
            message_id = channel.send(Message(text.subject, text.body, digest=digest, kind=DIGEST))
        starting = {scope.cooldown_id for scope in scopes_of(members)}
        sent = replace(
            digest,
            status=SENT,
            sent_at=timestamps.iso_now(),
            message_id=message_id,
            subject=text.subject,
            suppressed=sum(lease.unreported.count for lease in leases),
            reported=tuple(ReportedCooldown.of(lease, lease.scope.cooldown_id in starting) for lease in leases),
        )
        retry_write(lambda: digests_table.write(sent), self._stop_at)
        return sent

    def _mark_contents(self, digest: Digest, members: Sequence[Alert], leases: Sequence[CooldownLease]) -> None:
        if digest.status == SENT:
            for reported in digest.reported:
                sent_at = timestamps.moment(digest.sent_at) if reported.starts else None
                cooldowns_table.complete_lease(
                    reported.cooldown_id, digest.digest_id, reported.count, reported.seconds, sent_at
                )  # fmt: skip
        else:
            release_cooldowns(leases)
        status, reason = (DIGESTED, "") if digest.status == SENT else (FAILED, digest.reason)
        for alert in members:
            before = alert.delivery(digest.channel_id)
            alert.deliveries[digest.channel_id] = replace(
                before, status=status, at=timestamps.iso_now(), reason=reason or before.reason, digest_id=digest.digest_id
            )
            if alert.add_fallback(timestamps.iso_now(), QUEUED):
                self.fallback.append(alert)
                logger.warning("All channels of an alert failed. It waits for an e-mail digest.", alert_id=alert.alert_id)
            alerts_table.write_deliveries(alert, DigestId=digest.digest_id)
        digests_table.finish(digest)
        self._report(digest, len(members))

    def _fail(self, digest: Digest, reason: str) -> Digest:
        failed = replace(digest, status=FAILED, reason=reason)
        digests_table.write(failed)
        return failed

    def _record_failure(self, digest: Digest, leases: Sequence[CooldownLease], error: Exception) -> None:
        release_cooldowns(leases)
        digests_table.write_reason(digest, f"Not sent yet: {error}")
        logger.error("A digest could not be sent yet.", channel=digest.channel_id, reason=str(error))

    def _report(self, digest: Digest, alerts: int) -> None:
        about: dict[str, Any] = {"digest_id": digest.digest_id, "channel": digest.channel_id, "alerts": alerts}
        if digest.status == SENT:
            logger.info("Digest sent.", suppressed=digest.suppressed, **about)
            count("DigestsSent")
            self.outcome["Digests"] += 1
            self.outcome["Alerts"] += alerts
            self.outcome["Suppressed"] += digest.suppressed
        else:
            logger.error("A digest could not be sent.", reason=digest.reason, **about)
            count("AlertsFailed", alerts)
            self.outcome["Failed"] += alerts


def _age(digest: Digest) -> float:
    """Seconds since it was created."""
    return (timestamps.milliseconds() - timestamps.moment(digest.created_at)) / 1000


def _suppressed_count(lease: CooldownLease, channel_id: str) -> SuppressedCount:
    scope = lease.scope
    instead_of = () if channel_id in scope.channels else scope.channels
    return SuppressedCount(scope.rule_id, scope.rule_name, lease.unreported, instead_of)
