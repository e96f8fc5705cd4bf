"""One digest run: finishes what earlier runs have left, then sends everything that waits, one message for each channel.

A digest's record lists its alerts before it is sent, and the alerts are marked after. The next run finishes what a crashed run
has left, with the same alerts. Alerts whose sender has crashed are included, so that every alert is sent whatever happens to its
sender. A count that no alert has reported goes to the first of its rule's channels that accepts it, to e-mail if all of them have
failed permanently, and stays unreported until a channel accepts it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from imagewatch import timestamps
from imagewatch.alerts.alert import PENDING, SENT, Alert
from imagewatch.alerts.channel import EMAIL
from imagewatch.alerts.cooldown import CooldownLease, CooldownScope
from imagewatch.alerts.digest import Digest
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.aws.tables import digests as digests_table
from imagewatch.observability import count, logger
from imagewatch.services.digest_members import is_queued, lease_cooldowns, queued_alert
from imagewatch.services.digest_sender import GIVE_UP_SECONDS, DigestSender

MAX_MEMBERS = 4000  # alerts in one digest: 64 KB of its record
WORK_SECONDS = 150  # nothing is begun after that, so that everything begun ends before the function's timeout


class DigestRun:
    """The work of one invocation: which alerts and counts go into which digest, in which order."""

    def __init__(self) -> None:
        self._stop_at = timestamps.now() + WORK_SECONDS * timestamps.SECOND
        self._sender = DigestSender(self._stop_at)
        self.outcome = self._sender.outcome
        self._unreported: list[CooldownScope] = []  # those whose counts no channel has accepted
        self._reusable: Digest | None = None  # the record of an unsent digest without alerts: the next such digest uses it

    def run(self) -> None:
        """Sends everything that can be sent now. The rest stays for the next run."""
        for digest in digests_table.read_unfinished():
            self._resume(digest)
        self._sender.fallback.clear()  # the portions below include these alerts
        pages = cooldowns_table.read_due_reports()
        due = self._by_channel(next(pages, []))
        left: list[CooldownScope] = []
        for channel_id, members in self._portions():
            left += self._send_new(channel_id, members, due.pop(channel_id, []))
        if self._sender.fallback:
            self._send_new(EMAIL, self._sender.fallback, [])
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
        self._sender.finish(digest, members, leases)

    def _by_channel(self, scopes: Sequence[CooldownScope]) -> dict[str, list[CooldownScope]]:
        """Due counts by the channel that is to report them. Those without a working channel are added to the unreported."""
        due: dict[str, list[CooldownScope]] = {}
        for scope in scopes:
            names = [*scope.channels, EMAIL] if self._has_failed(scope) else scope.channels
            working = (name for name in names if name not in self._sender.failing and name not in self._sender.refusing)
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
                    if is_queued(alert, channel_id) and channel_id not in self._sender.failing:
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
        if channel_id in self._sender.failing:
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
        status = self._sender.finish(digest, members, leases)
        if status == PENDING and not members:
            self._reusable = digest
        if status == SENT:
            due_ids = {scope.cooldown_id for scope in due}
            self._report_fallbacks(channel_id, [lease for lease in leases if lease.scope.cooldown_id in due_ids])
            return []
        unsent = {lease.scope.cooldown_id for lease in leases if lease.unreported.count}
        return [scope for scope in due if scope.cooldown_id in unsent]

    def _report_unreported(self) -> None:
        """Counts that no channel accepts stay unreported. An alarm is raised for those that a retry alone won't help."""
        if self._reusable and not self._unreported:
            digests_table.finish(self._reusable)
        if not self._unreported:
            return
        why = self._sender.failing | self._sender.refusing
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
        return _is_overdue(scope) or all(name in self._sender.refusing for name in scope.channels)

    def _report_fallbacks(self, channel_id: str, leases: Sequence[CooldownLease]) -> None:
        """Raises the alarm of failed deliveries for counts that were sent by e-mail instead of through their channels."""
        instead = [lease for lease in leases if lease.unreported.count and channel_id not in lease.scope.channels]
        if instead:
            rules = sorted({lease.scope.rule_id for lease in instead})
            logger.error("The channels of suppressed-match counts failed. E-mail reported the counts.", rules=rules[:20])
            self.outcome["Failed"] += len(instead)
            count("AlertsFailed", len(instead))

    def _is_hopeless(self, scope: CooldownScope) -> bool:
        return any(name in self._sender.refusing for name in scope.channels) or _is_overdue(scope)


def _is_overdue(scope: CooldownScope) -> bool:
    return timestamps.milliseconds() - scope.report_after >= GIVE_UP_SECONDS * 1000
