"""The contents of a digest: alerts that wait for it, alerts whose sender has crashed, and the counts of cooldowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagewatch import timestamps
from imagewatch.alerts.alert import PENDING, QUEUED, SUPPRESSED, Alert, Delivery
from imagewatch.alerts.cooldown import CooldownLease, CooldownScope, cooldown_scope
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table

MAX_COOLDOWNS = 100  # that one digest starts and reports, those with the most alerts first


def is_queued(alert: Alert, channel_id: str) -> bool:
    """Whether the alert waits for a digest of this channel."""
    return alert.delivery(channel_id).status == QUEUED


def queued_alert(alert: Alert) -> Alert | None:
    """The alert if it waits for a digest. An alert that its sender has abandoned is queued first."""
    if alert.status == QUEUED:
        return alert
    if alert.status != PENDING or not alerts_table.is_abandoned(alert):
        return None
    scope = cooldown_scope(alert.rule, alert.source)
    if scope and cooldowns_table.has_counted(scope.cooldown_id, alert.alert_id):
        reason = "Its sender was interrupted after it had counted the match as suppressed."
        alert.deliveries = dict.fromkeys(alert.channels, Delivery(SUPPRESSED, timestamps.iso_now(), reason))
        alerts_table.write_deliveries(alert)
        cooldowns_table.remove_token(scope.cooldown_id, alert.alert_id)
        return None
    for channel_id in alert.channels:
        delivery = alert.delivery(channel_id)
        if delivery.status == PENDING:
            # A reason that is recorded says why the alert could not be sent.
            reason = delivery.reason or "Its sender was interrupted."
            alert.deliveries[channel_id] = replace(delivery, status=QUEUED, at=timestamps.iso_now(), reason=reason)
    return alert if alerts_table.queue_abandoned(alert) else None


def scopes_of(members: Sequence[Alert]) -> list[CooldownScope]:
    """The cooldowns that apply to these alerts, those with the most alerts first."""
    found: dict[str, list[CooldownScope]] = {}
    for alert in members:
        if scope := cooldown_scope(alert.rule, alert.source):
            found.setdefault(scope.cooldown_id, []).append(scope)
    return [scopes[0] for scopes in sorted(found.values(), key=len, reverse=True)]


def lease_cooldowns(digest_id: str, members: Sequence[Alert], due: Sequence[CooldownScope]) -> list[CooldownLease]:
    """Leases the cooldowns that the digest reports. One that is running or leased to another owner is reported elsewhere."""
    scopes = {scope.cooldown_id: scope for scope in [*due, *scopes_of(members)[:MAX_COOLDOWNS]]}
    return [lease for scope in scopes.values() if (lease := cooldowns_table.acquire_lease(scope, digest_id))]


def release_cooldowns(leases: Sequence[CooldownLease]) -> None:
    """Ends the leases of a digest that was not sent: its counts stay unreported."""
    for lease in leases:
        cooldowns_table.release_lease(lease.scope.cooldown_id, lease.owner)
