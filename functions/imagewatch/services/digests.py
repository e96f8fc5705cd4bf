"""One digest run: finishes what earlier runs have left, then sends everything that waits, one message for each channel.

A digest's record lists its alerts before it is sent, and the alerts are marked after. The next run finishes what a crashed run
has left, with the same alerts. Alerts whose sender has crashed are included, so that every alert is sent whatever happens to its
sender. A count that no alert has reported goes to the first of its rule's channels that accepts it, to e-mail if all of them have
failed permanently, and stays unreported until a channel accepts it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import digest_text
from imagewatch.alerts.alert import DIGESTED, FAILED, PENDING, QUEUED, SENT, Alert
from imagewatch.alerts.channel import DIGEST, EMAIL, Message
from imagewatch.alerts.cooldown import CooldownLease, CooldownScope
from imagewatch.alerts.digest import Digest, ReportedCooldown, SuppressedCount
from imagewatch.aws import channels, rate_limiter
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.aws.tables import digests as digests_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, TransientError
from imagewatch.observability import count, logger
from imagewatch.services import channel_check
from imagewatch.services.digest_members import is_queued, lease_cooldowns, queued_alert, release_cooldowns, scopes_of

MAX_MEMBERS = 4000  # alerts in one digest: 64 KB of its record
GIVE_UP_SECONDS = 24 * 3600  # a digest that could not be sent for so long is recorded as failed
WORK_SECONDS = 150  # nothing is begun after that, so that everything begun ends before the function's timeout
SLOT_PATIENCE = 20 * timestamps.SECOND


class DigestRun:
    """The work of one invocation, and what it has learned about the channels."""

    def __init__(self) -> None:
        self.outcome = {"Digests": 0, "Alerts": 0, "Suppressed": 0, "Failed": 0, "Delayed": 0}
        self._failing: dict[str, str] = {}  # channel id -> why it is to be retried later
        self._refusing: dict[str, str] = {}  # channel id -> why it has refused a digest permanently
        self._fallback: list[Alert] = []  # alerts whose channels have all failed, queued for e-mail
        self._unreported: list[CooldownScope] = []  # those whose counts no channel has accepted
        self._reusable: Digest | None = None  # the record of an unsent digest without alerts: the next such digest uses it
        self._stop_at = timestamps.now() + WORK_SECONDS * timestamps.SECOND

    def run(self) -> None:
        """Sends everything that can be sent now. The rest stays for the next run."""
        for digest in digests_table.read_unfinished():
            self._resume(digest)
        self._fallback.clear()  # the portions below include these alerts
        pages = cooldowns_table.read_due_reports()
        due = self._by_channel(next(pages, []))
        left: list[CooldownScope] = []
        for channel_id, members in self._portions():
            left += self._send_new(channel_id, members, due.pop(channel_id, []))
        if self._fallback:
            self._send_new(EMAIL, self._fallback, [])
        self._send_counts([*left, *(scope for scopes in due.values() for scope in scopes)])
        stuck = len(self._unreported)
        for page in pages:
            if not stuck or timestamps.now() > self._stop_at:
                break  # the next run begins with these
            before = len(self._unreported)
            self._send_counts(page)  # counts that no channel accepts don't delay those behind them
            stuck = len(self._unreported) - before
        self._report_unreported()

    def _resume(self, digest: Digest) -> None:
        ids = digest.member_ids
        members = [alert for start in range(0, len(ids), 100) for alert in alerts_table.read(ids[start : start + 100])]
        members = [alert for alert in members if is_queued(alert, digest.channel_id)]
        if digest.status == PENDING and not members:  # it was to report counts only, which are still unreported
            if self._reusable or digest.count:
                digests_table.finish(digest)
            else:
                self._reusable = digest
            return
        logger.warning("An unfinished digest is resumed.", digest_id=digest.digest_id, alerts=len(members))
        leases = lease_cooldowns(digest.digest_id, members, []) if digest.status == PENDING else []
        self._finish(digest, members, leases)

    def _by_channel(self, scopes: Sequence[CooldownScope]) -> dict[str, list[CooldownScope]]:
        """Due counts by the channel that is to report them. Those without a working channel are added to the unreported."""
        due: dict[str, list[CooldownScope]] = {}
        for scope in scopes:
            names = [*scope.channels, EMAIL] if self._has_failed(scope) else scope.channels
            working = (name for name in names if name not in self._failing and name not in self._refusing)
            if channel_id := next(working, None):
                due.setdefault(channel_id, []).append(scope)
            else:
                self._unreported.append(scope)
        return due

    def _portions(self) -> Iterator[tuple[str, list[Alert]]]:
        """The queued alerts by channel, in portions of at most MAX_MEMBERS."""
        portions: dict[str, list[Alert]] = {}
        for batch in alerts_table.read_unfinished():
            for alert in filter(None, map(queued_alert, batch)):
                for channel_id in alert.channels:
                    if is_queued(alert, channel_id) and channel_id not in self._failing:
                        portions.setdefault(channel_id, []).append(alert)
            for channel_id in [name for name, portion in portions.items() if len(portion) >= MAX_MEMBERS]:
                yield channel_id, portions.pop(channel_id)
            if timestamps.now() > self._stop_at:
                break
        yield from portions.items()

    def _send_counts(self, scopes: Sequence[CooldownScope]) -> None:
        """Sends counts through each one's next channel, until one accepts them or none is left."""
        while scopes:
            left: list[CooldownScope] = []
            for channel_id, group in self._by_channel(scopes).items():
                left += self._send_new(channel_id, [], group)
            scopes = left if timestamps.now() <= self._stop_at else []

    def _send_new(self, channel_id: str, members: list[Alert], due: Sequence[CooldownScope]) -> list[CooldownScope]:
        """Sends one digest; returns those of the due counts that it was to report and did not."""
        if channel_id in self._failing:
            return list(due)
        reusable, self._reusable = (None, self._reusable) if members else (self._reusable, None)
        digest_id = reusable.digest_id if reusable else uuid.uuid4().hex
        leases = lease_cooldowns(digest_id, members, due)
        if not members and not any(lease.unreported.count for lease in leases):
            for lease in leases:  # an alert has reported them meanwhile; the index was not up to date
                cooldowns_table.complete_lease(lease.scope.cooldown_id, digest_id, 0, lease.scope.seconds, None)
            self._reusable = reusable
            return []
        digest = Digest(digest_id, channel_id, tuple(alert.alert_id for alert in members), timestamps.iso_now())
        digests_table.create(digest)
        if self._finish(digest, members, leases) == SENT:
            due_ids = {scope.cooldown_id for scope in due}
            self._report_fallbacks(channel_id, [lease for lease in leases if lease.scope.cooldown_id in due_ids])
            return []
        unsent = {lease.scope.cooldown_id for lease in leases if lease.unreported.count}
        return [scope for scope in due if scope.cooldown_id in unsent]

    def _finish(self, digest: Digest, members: list[Alert], leases: Sequence[CooldownLease]) -> str:
        """Sends the digest unless it was sent, and then marks everything that it contains. Returns its status."""
        if digest.status == PENDING:
            try:
                digest = self._send(digest, members, leases)
            except (ChannelRefused, ChannelGone) as error:
                self._refusing[digest.channel_id] = str(error)
                channel_check.report_disabled(digest.channel_id, digest.digest_id)
                if not members:
                    return self._set_aside(digest, leases, error)
                digest = self._fail(digest, f"Could not be sent: {error}")
            except TransientError as error:
                self._failing[digest.channel_id] = str(error)
                if not members:
                    return self._set_aside(digest, leases, error)
                if _age(digest) < GIVE_UP_SECONDS:
                    return self._delay(digest, leases, error)
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
                self._fallback.append(alert)
                logger.warning("All channels of an alert failed. It waits for an e-mail digest.", alert_id=alert.alert_id)
            alerts_table.write_deliveries(alert, DigestId=digest.digest_id)
        digests_table.finish(digest)
        self._report(digest, len(members))

    def _fail(self, digest: Digest, reason: str) -> Digest:
        failed = replace(digest, status=FAILED, reason=reason)
        digests_table.write(failed)
        return failed

    def _delay(self, digest: Digest, leases: Sequence[CooldownLease], error: Exception) -> str:
        """Leaves the digest to the next run."""
        self._record_failure(digest, leases, error)
        self.outcome["Delayed"] += 1
        count("DigestsDelayed")
        return digest.status

    def _set_aside(self, digest: Digest, leases: Sequence[CooldownLease], error: Exception) -> str:
        """Keeps the record of a digest of counts alone for another channel, which may accept them."""
        self._record_failure(digest, leases, error)
        self._reusable = digest
        return digest.status

    def _record_failure(self, digest: Digest, leases: Sequence[CooldownLease], error: Exception) -> None:
        release_cooldowns(leases)
        digests_table.write_reason(digest, f"Not sent yet: {error}")
        logger.error("A digest could not be sent yet.", channel=digest.channel_id, reason=str(error))

    def _report_unreported(self) -> None:
        """Counts that no channel accepts stay unreported. An alarm is raised for those that a retry alone won't help."""
        if self._reusable and not self._unreported:
            digests_table.finish(self._reusable)
        if not self._unreported:
            return
        why = self._failing | self._refusing
        rules = sorted({scope.rule_id for scope in self._unreported})
        logger.error(
            "No channel accepted the suppressed-match counts.", counts=len(self._unreported), rules=rules[:20], reasons=why
        )
        hopeless = sum(self._is_hopeless(scope) for scope in self._unreported)
        if hopeless:
            self.outcome["Failed"] += hopeless
            count("AlertsFailed", hopeless)
        if hopeless < len(self._unreported):
            self.outcome["Delayed"] += 1
            count("DigestsDelayed")

    def _has_failed(self, scope: CooldownScope) -> bool:
        """Whether all channels of a count's rule have refused it permanently, or have not accepted it for a day."""
        return _is_overdue(scope) or all(name in self._refusing for name in scope.channels)

    def _report_fallbacks(self, channel_id: str, leases: Sequence[CooldownLease]) -> None:
        """Raises the alarm of failed deliveries for counts that were sent by e-mail instead of through their channels."""
        instead = [lease for lease in leases if lease.unreported.count and channel_id not in lease.scope.channels]
        if instead:
            rules = sorted({lease.scope.rule_id for lease in instead})
            logger.error("The channels of suppressed-match counts failed. E-mail reported the counts.", rules=rules[:20])
            self.outcome["Failed"] += len(instead)
            count("AlertsFailed", len(instead))

    def _is_hopeless(self, scope: CooldownScope) -> bool:
        return any(name in self._refusing for name in scope.channels) or _is_overdue(scope)

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


def _is_overdue(scope: CooldownScope) -> bool:
    return timestamps.milliseconds() - scope.report_after >= GIVE_UP_SECONDS * 1000


def _suppressed_count(lease: CooldownLease, channel_id: str) -> SuppressedCount:
    scope = lease.scope
    instead_of = () if channel_id in scope.channels else scope.channels
    return SuppressedCount(scope.rule_id, scope.rule_name, lease.unreported, instead_of)
