"""The WatchlistTable: the rules that people keep."""

from __future__ import annotations

from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.environment import setting
from imagewatch.aws.items import from_item
from imagewatch.errors import InvalidRule
from imagewatch.watchlist import Rule


def rules() -> tuple[list[Rule], list[InvalidRule]]:
    """All rules ordered by id, and what is wrong with those that can't be evaluated: one bad rule must not silence the rest."""
    good: list[Rule] = []
    bad: list[InvalidRule] = []
    for record in sorted(_records(), key=lambda record: str(record.get("RuleId"))):
        try:
            good.append(Rule.from_record(record))
        except InvalidRule as error:
            bad.append(error)
    return good, bad


def _records() -> list[dict[str, Any]]:
    # A watchlist is small and wanted whole, so this is the one table that is read from end to end.
    records: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    while True:
        with translated():
            page = client("dynamodb").scan(TableName=setting("WATCHLIST_TABLE"), **start)
        records += [from_item(item) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return records
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
