"""Makes moto's TransactWriteItems cost what its items cost. moto copies each whole table for each item, to restore it on failure.

Here the items that a transaction names are copied, and a failed transaction restores these.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from local.emulator.moto_patches.replacing import Restore, replace

Action = Mapping[str, Mapping[str, Any]]
Saved = tuple[Table, dict[str, Any], dict[str, Any] | None]  # the table, the key, and the attributes, None for no item

MOTOS = DynamoDBBackend.transact_write_items
_transaction = threading.local()


def install() -> Restore:
    """Replace moto's transactions, once for the process. Returns a function that restores moto."""
    if isinstance(models.copy, _Copy):
        return replace()
    return replace((models, "copy", _Copy()), (DynamoDBBackend, "transact_write_items", _transact_write_items))


class _Copy:
    """The module copy, except that a table isn't copied inside a transaction: moto's restoring it then changes nothing."""

    def deepcopy(self, value: Any, memo: dict[int, Any] | None = None) -> Any:
        if isinstance(value, Table) and getattr(_transaction, "runs", False):
            return value
        return copy.deepcopy(value, memo)

    def __getattr__(self, name: str) -> Any:
        return getattr(copy, name)


def _transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    if any(table.stream_shard for table in self.tables.values()):
        MOTOS(self, transact_items)  # a failed transaction must leave nothing in the stream either
        return
    saved = list(_saved(self, transact_items))
    try:
        with _without_copies_of_tables():
            MOTOS(self, transact_items)
    except Exception:
        for table, key, attributes in saved:
            _restore(table, key, attributes)
        raise


@contextmanager
def _without_copies_of_tables() -> Iterator[None]:
    _transaction.runs = True
    try:
        yield
    finally:
        _transaction.runs = False


def _saved(backend: DynamoDBBackend, actions: Sequence[Action]) -> Iterator[Saved]:
    """The items that the actions name. moto refuses an action with an unknown table or a bad key before it writes."""
    for action in actions:
        for kind, fields in action.items():
            table = backend.tables.get(str(fields.get("TableName", "")).rpartition("/")[2])
            given = fields.get("Item" if kind == "Put" else "Key")
            names = [name for name in (table.hash_key_attr, table.range_key_attr) if name] if table else []
            if table is None or not isinstance(given, dict) or not all(isinstance(given.get(name), dict) for name in names):
                continue
            key = {name: given[name] for name in names}
            item = table.get_item(*_dynamo_key(table, key))
            yield table, key, copy.deepcopy(item.to_json()["Attributes"]) if item else None


def _restore(table: Table, key: dict[str, Any], attributes: dict[str, Any] | None) -> None:
    if attributes is None:
        table.delete_item(*_dynamo_key(table, key))
    else:
        table.put_item(attributes, overwrite=True)


def _dynamo_key(table: Table, key: Mapping[str, Any]) -> tuple[Any, Any]:
    hash_key = DynamoType(key[table.hash_key_attr])
    return hash_key, DynamoType(key[table.range_key_attr]) if table.range_key_attr else None
