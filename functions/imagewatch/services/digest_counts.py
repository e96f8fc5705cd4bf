"""The counts of a digest: what cooldowns have kept back, held by the digest that tells it until it has told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewatch.alerts.cooldown import Window, window_of
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.aws.tables.cooldowns import Held

MAX_COOLDOWNS = 100  # that one digest starts and tells, those with most matches first


def windows_of(members: Sequence[Mapping[str, Any]]) -> list[Window]:
    """The cooldowns that these alerts fall under, those with most alerts first."""
    found: dict[str, list[Window]] = {}
    for alert in members:
        if window := window_of(alert["Rule"], alert["Source"]):
            found.setdefault(window.cooldown_id, []).append(window)
    return [windows[0] for windows in sorted(found.values(), key=len, reverse=True)]


def hold(digest_id: str, members: Sequence[Mapping[str, Any]], overdue: Sequence[Window]) -> list[Held]:
    """Holds the cooldowns that the digest tells of; those that run, or that somebody else holds, tell by themselves."""
    windows = {window.cooldown_id: window for window in [*overdue, *windows_of(members)[:MAX_COOLDOWNS]]}
    return [held for window in windows.values() if (held := cooldowns_table.acquire(window, digest_id))]


def release(digest: Mapping[str, Any], held: Sequence[Held]) -> None:
    """Gives them back: the digest was not sent, so its counts are still owed."""
    for entry in held:
        cooldowns_table.release(entry.window.cooldown_id, digest["DigestId"])


def entry_of(entry: Held, starts: bool) -> dict[str, Any]:
    """What the digest's record keeps of it, for whoever has to finish the digest."""
    window = entry.window
    return {"CooldownId": window.cooldown_id, "Count": entry.untold.count, "Seconds": window.seconds, "Starts": starts}
