"""The WatchlistTable: reads the rules, compiles them and caches them in this process for a limited time."""

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


@dataclass(frozen=True)
class _Snapshot:
    """The table at one time."""

    read_at: float
    """Seconds since the epoch."""
    digests: dict[str, bytes]
    """By rule id. The items themselves would take more memory than the rules."""
    rules: dict[str, Rule | InvalidRule]
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
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("WATCHLIST_TABLE"), Key=to_item({"RuleId": rule_id}), ConsistentRead=True
        )
    return Rule.from_item(from_item(answer["Item"])) if "Item" in answer else None


def clear_cache() -> None:
    """Makes the next call of `current` read the table."""
    _cached.clear()


def _read(now: float, last: _Snapshot | None) -> _Snapshot:
    digests: dict[str, bytes] = {}
    rules: dict[str, Rule | InvalidRule] = {}
    for item in _items():
        rule_id = item["RuleId"]["S"]
        digests[rule_id] = digest = hashlib.blake2b(json.dumps(item, sort_keys=True).encode(), digest_size=16).digest()
        # Reading a rule costs more than comparing it, and between two reads of the table few rules change.
        is_unchanged = last and last.digests.get(rule_id) == digest
        rules[rule_id] = last.rules[rule_id] if last and is_unchanged else _rule(item)
    if last and digests == last.digests:
        return _Snapshot(now, last.digests, last.rules, last.watchlist)
    rules = dict(sorted(rules.items()))
    return _Snapshot(now, digests, rules, Watchlist(rule for rule in rules.values() if isinstance(rule, Rule)))


def _rule(item: Item) -> Rule | InvalidRule:
    try:
        return Rule.from_item(from_item(item))
    except InvalidRule as error:
        return error


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
