"""Digests in the AlertsTable: written first, sent second, marked third. A sparse index lists the unfinished ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts.digest import Digest
from imagewatch.aws.dynamodb import conditional_update, placeholders, read_batch, set_clause
from imagewatch.aws.settings import setting
from imagewatch.aws.tables.alerts import expires_at, queued_ids

RUN_SECONDS = 250
"""How long one run's lease keeps other runs away: longer than the function may run."""

_RUN = "digest#run"
_UNFINISHED = "unfinished digest"


def acquire_run_lease(run_id: str) -> bool:
    """Whether this run may start; False while another one is at work. The lease of a crashed run ends after RUN_SECONDS."""
    now = timestamps.milliseconds()
    values = {"LeasedBy": run_id, "LeasedUntil": now + RUN_SECONDS * 1000}
    free = "attribute_not_exists(LeasedUntil) OR LeasedUntil <= :now OR LeasedBy = :LeasedBy"
    return _update(_RUN, set_clause(values), free, placeholders(values) | {":now": now})


def release_run_lease(run_id: str) -> None:
    """Lets the next run start."""
    _update(_RUN, "SET LeasedUntil = :never", "LeasedBy = :run", {":never": 0, ":run": run_id})


def create(digest: Digest) -> None:
    """Writes a digest that is not sent yet. It replaces an unsent one with the same id."""
    values = digest.to_item() | {"QueuedFor": _UNFINISHED, "ExpiresAt": expires_at()}
    _update(digest.record_id, f"{set_clause(values)} REMOVE Reason", "", placeholders(values))


def read_unfinished() -> list[Digest]:
    """The digests that earlier runs have left unfinished, the oldest first."""
    ids = [record_id for page in queued_ids(_UNFINISHED, 1000) for record_id in page]
    items = read_batch(setting("ALERTS_TABLE"), [{"AlertId": record_id} for record_id in ids])
    digests = [Digest.from_item(item) for item in items if "QueuedFor" in item]
    return sorted(digests, key=lambda digest: digest.created_at)


def write(digest: Digest) -> None:
    """Writes the digest's final status, and everything else that is known of it."""
    values = digest.to_item()
    _update(digest.record_id, set_clause(values), "", placeholders(values))


def write_reason(digest: Digest, reason: str) -> None:
    """Records why the digest is not sent yet. Not its status: a write of SENT that seemed to fail may have succeeded."""
    _update(digest.record_id, "SET Reason = :reason", "", {":reason": reason})


def finish(digest: Digest) -> None:
    """Removes a digest from the index: nothing is left to do for it."""
    _update(digest.record_id, "SET FinishedAt = :now REMOVE QueuedFor", "", {":now": timestamps.iso_now()})


def _update(record_id: str, update: str, condition: str, values: Mapping[str, Any]) -> bool:
    return conditional_update(setting("ALERTS_TABLE"), {"AlertId": record_id}, update, condition, values, returns="NONE").done
