"""The WatchlistTable: reads the rules and the mutes, compiles them and caches them in this process for a limited time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import Item, from_item, to_item
from imagewatch.aws.settings import setting
from imagewatch.errors import InvalidRule
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule
from imagewatch.rules.mutes import MUTES_ID, NO_MUTES, Mutes


@dataclass(frozen=True)
class _Snapshot:
    """The table at one time."""

    read_at: float
    """Seconds since the epoch."""
    digests: dict[str, bytes]
    """By rule id. The items themselves would take more memory than the rules."""
    rules: dict[str, Rule | Mutes | InvalidRule]
    """With the mutes, which are stored like a rule."""
    watchlist: Watchlist


_cached: list[_Snapshot] = []


def current() -> tuple[Watchlist, list[InvalidRule]]:
    """The watchlist, at most WATCHLIST_MAX_AGE_SECONDS old, and the errors of rules that it had to leave out.

    The errors are returned once for each read of the table: the list is empty when the cached watchlist is returned. One
    invalid rule doesn't stop the others. Raises Throttled or Unavailable when the cached watchlist is too old and the table
    can't be read.
    """
    # Not the monotonic clock, which stops while Lambda has frozen the process.
    now, allowed = time.time(), float(setting("WATCHLIST_MAX_AGE_SECONDS"))
    if _cached and 0 <= now - _cached[0].read_at < allowed:
        return _cached[0].watchlist, []
    snapshot = _read(now, _cached[0] if _cached else None)
    _cached[:] = [snapshot]
    return snapshot.watchlist, [rule for rule in snapshot.rules.values() if isinstance(rule, InvalidRule)]


def read(rule_id: str) -> Rule | None:
    """One rule as it is stored now, whatever is cached; None when there is none. Raises InvalidRule when it is damaged."""
    item = _item(rule_id)
    return Rule.from_item(item) if item else None


def read_mutes() -> Mutes:
    """The mutes as they are stored now. Raises InvalidRule when they are damaged."""
    item = _item(MUTES_ID)
    return Mutes.from_item(item) if item else NO_MUTES


def clear_cache() -> None:
    """Makes the next call of `current` read the table."""
    _cached.clear()


def _read(now: float, last: _Snapshot | None) -> _Snapshot:
    digests: dict[str, bytes] = {}
    rules: dict[str, Rule | Mutes | InvalidRule] = {}
    for item in _items():
        rule_id = item["RuleId"]["S"]
        digests[rule_id] = digest = hashlib.blake2b(json.dumps(item, sort_keys=True).encode(), digest_size=16).digest()
        # Reading a rule costs more than comparing it, and between two reads of the table few rules change.
        is_unchanged = last and last.digests.get(rule_id) == digest
        rules[rule_id] = last.rules[rule_id] if last and is_unchanged else _rule(item)
    if last and digests == last.digests:
        return _Snapshot(now, last.digests, last.rules, last.watchlist)
    rules = dict(sorted(rules.items()))
    mutes = rules.get(MUTES_ID)
    watchlist = Watchlist(
        (rule for rule in rules.values() if isinstance(rule, Rule)), mutes if isinstance(mutes, Mutes) else NO_MUTES
    )
    return _Snapshot(now, digests, rules, watchlist)


def _rule(item: Item) -> Rule | Mutes | InvalidRule:
    record = from_item(item)
    try:
        return Mutes.from_item(record) if record["RuleId"] == MUTES_ID else Rule.from_item(record)
    except InvalidRule as error:
        return error


def _item(rule_id: str) -> dict[str, Any] | None:
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("WATCHLIST_TABLE"), Key=to_item({"RuleId": rule_id}), ConsistentRead=True
        )
    return from_item(answer["Item"]) if "Item" in answer else None


def _items() -> Iterator[Item]:
    # The read is consistent, so that it includes every rule written before it, and the limit on the watchlist's age holds.
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").scan(TableName=setting("WATCHLIST_TABLE"), ConsistentRead=True, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
