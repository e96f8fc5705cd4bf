"""The WatchlistTable: the rules that people keep, compiled and kept in this process for a bounded time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import Item, from_item, to_item
from imagewatch.aws.settings import setting
from imagewatch.errors import InvalidRule
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule


@dataclass(frozen=True)
class _Reading:
    """The table as it was at one moment (seconds since 1970)."""

    at: float
    items: dict[str, Item]
    rules: dict[str, Rule | InvalidRule]
    watchlist: Watchlist


_last: list[_Reading] = []


def current() -> tuple[Watchlist, list[InvalidRule]]:
    """The watchlist, at most WATCHLIST_MAX_AGE_SECONDS old, and what is wrong with rules that it had to leave out.

    The second is told once for each reading of the table: it is empty when nothing was read. One bad rule must not silence
    the rest. Raises Throttled or Unavailable rather than going on with a watchlist that is too old.
    """
    # Not the monotonic clock: that one stands still while Lambda has frozen the process.
    now, allowed = time.time(), float(setting("WATCHLIST_MAX_AGE_SECONDS"))
    if _last and 0 <= now - _last[0].at < allowed:
        return _last[0].watchlist, []
    reading = _read(now, _last[0] if _last else None)
    _last[:] = [reading]
    return reading.watchlist, [rule for rule in reading.rules.values() if isinstance(rule, InvalidRule)]


def read(rule_id: str) -> Rule | None:
    """One rule as it is now, whatever this process has kept; None when there is none. Raises InvalidRule when it is damaged."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("WATCHLIST_TABLE"), Key=to_item({"RuleId": rule_id}), ConsistentRead=True
        )
    return Rule.from_record(from_item(answer["Item"])) if "Item" in answer else None


def forget() -> None:
    """The next call of `current` reads the table."""
    _last.clear()


def _read(now: float, last: _Reading | None) -> _Reading:
    items = {item["RuleId"]["S"]: item for item in _items()}
    if last and items == last.items:
        return _Reading(now, last.items, last.rules, last.watchlist)
    rules = {
        # Reading and checking a rule costs more than comparing it, and between two readings few rules change.
        rule_id: last.rules[rule_id] if last and last.items.get(rule_id) == items[rule_id] else _rule(items[rule_id])
        for rule_id in sorted(items)
    }
    return _Reading(now, items, rules, Watchlist(rule for rule in rules.values() if isinstance(rule, Rule)))


def _rule(item: Item) -> Rule | InvalidRule:
    try:
        return Rule.from_record(from_item(item))
    except InvalidRule as error:
        return error


def _items() -> list[dict[str, Any]]:
    # A watchlist is wanted whole, so this is the one table that is read from end to end. Consistently, so that a rule that
    # was written before the reading is in it, and the bound on its age holds.
    items: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").scan(TableName=setting("WATCHLIST_TABLE"), ConsistentRead=True, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
