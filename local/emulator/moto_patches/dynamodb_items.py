"""DynamoDB's items at rest as packed bytes, and found by their keys: moto keeps a tree of objects and goes through all of them.

An image's record and its labels are 330 objects, which the garbage collector visits again and again; packed they are a few.
moto answers a query by sorting the whole table.
"""

from __future__ import annotations

import marshal
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.dynamodb.models import table as table_module
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table

READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
WORTH_COMPRESSING = 512  # bytes
_COMPRESSED = b"x"  # how zlib's output begins; marshal's never does

_opened: list[StoredItem] = []
_lock = threading.RLock()


def install() -> None:
    """Replace what tables keep and how they find it, once for the process. `request` has to surround every request."""
    if table_module.Item is StoredItem:
        return
    table_module.Item = StoredItem
    Table.put_item = _putting(Table.put_item)
    Table.delete_item = _deleting(Table.delete_item)
    Table.query = _querying(Table.query)
    Table.all_items = _narrowed(Table.all_items)


@contextmanager
def request(operation: str) -> Iterator[None]:
    """Around a request, of which there is one at a time: afterwards the items that it touched are at rest again."""
    try:
        yield
    finally:
        with _lock:
            touched = _opened[:]
            _opened.clear()
            for item in touched:
                item.rest(changed=operation not in READS)


class StoredItem(Item):
    """An item of a table. Whoever has its `attrs` in hand keeps them as they are when it is packed."""

    _open: LimitedSizeDict | None = None
    _packed: bytes | None = None
    _bound = 0  # of the size, see fast_dynamodb
    _table: Table | None = None
    _entries: tuple[tuple[str, DynamoType], ...] = ()

    @property
    def attrs(self) -> LimitedSizeDict:
        with _lock:
            if self._open is None:
                self._open = unpacked(self._packed or b"")
                self._open.__dict__["bound"] = self._bound
                _opened.append(self)
            return self._open

    @attrs.setter
    def attrs(self, attributes: LimitedSizeDict) -> None:
        self._open = attributes

    def stored_in(self, table: Table) -> None:
        """From now on it belongs to the table and is packed between requests."""
        self._table = table
        with _lock:
            _opened.append(self)

    def rest(self, *, changed: bool) -> None:
        attributes = self._open
        if attributes is None or self._table is None:
            return
        if changed or self._packed is None:
            self._packed, self._bound = packed(attributes), attributes.__dict__.get("bound", 0)
            _index(self._table, self, attributes)
        self._open = None


def packed(attributes: dict[str, DynamoType]) -> bytes:
    """The attributes as bytes, the same for the same attributes in the same order."""
    content = marshal.dumps({name: _plain(value) for name, value in attributes.items()})
    return zlib.compress(content, 1) if len(content) >= WORTH_COMPRESSING else content


def unpacked(content: bytes) -> LimitedSizeDict:
    """The attributes out of what `packed` gave."""
    plain = marshal.loads(zlib.decompress(content) if content.startswith(_COMPRESSED) else content)  # noqa: S302 - our own
    attributes = LimitedSizeDict()
    for name, told in plain.items():
        dict.__setitem__(attributes, name, _value(told))
    return attributes


def _plain(value: Any) -> Any:
    """A DynamoType as (type, value)."""
    if type(value) is not DynamoType:
        return value
    inner = value.value
    if type(inner) is list:
        inner = [_plain(item) for item in inner]
    elif type(inner) is dict:
        inner = {name: _plain(item) for name, item in inner.items()}
    return value.type, inner


def _value(told: Any) -> Any:
    if type(told) is not tuple:
        return told
    value = object.__new__(DynamoType)
    value.type, inner = told
    if type(inner) is list:
        inner = [_value(item) for item in inner]
    elif type(inner) is dict:
        inner = {name: _value(item) for name, item in inner.items()}
    value.value = inner
    return value


def _index(table: Table, item: StoredItem, attributes: dict[str, DynamoType] | None) -> None:
    """Keep the indexes that hold only keys up to date with the item; without attributes it is taken out of them."""
    indexes = table.__dict__.setdefault("entries", defaultdict(lambda: defaultdict(dict)))
    identity = (item.hash_key, item.range_key)
    for name, value in item._entries:
        indexes[name][value].pop(identity, None)
    found = []
    for index in _keys_only(table) if attributes else ():
        keys = {key["AttributeName"]: key["KeyType"] for key in index.schema}
        if attributes and keys.keys() <= attributes.keys():
            value = next(attributes[name] for name, kind in keys.items() if kind == "HASH")
            entry = object.__new__(StoredItem)
            entry.hash_key, entry.range_key = identity
            entry._open = LimitedSizeDict()
            for name in (*keys, *table.table_key_attrs):
                dict.__setitem__(entry._open, name, attributes[name])
            indexes[index.name][value][identity] = entry
            found.append((index.name, value))
    item._entries = tuple(found)


def _keys_only(table: Table) -> list[Any]:
    return [index for index in table.global_indexes if index.projection.get("ProjectionType") == "KEYS_ONLY"]


def _putting(original: Callable[..., Item]) -> Callable[..., Item]:
    def put_item(table: Table, item_attrs: dict[str, Any], *arguments: Any, **named: Any) -> Item:
        hash_key = DynamoType(item_attrs[table.hash_key_attr]) if table.hash_key_attr in item_attrs else None
        range_key = DynamoType(item_attrs[table.range_key_attr]) if table.range_key_attr in item_attrs else None
        known = hash_key and (range_key or not table.has_range_key)
        before = table.get_item(hash_key, range_key) if known else None
        item = original(table, item_attrs, *arguments, **named)
        if isinstance(item, StoredItem):
            if isinstance(before, StoredItem):
                _index(table, before, None)
            item.stored_in(table)
        return item

    return put_item


def _deleting(original: Callable[..., Item | None]) -> Callable[..., Item | None]:
    def delete_item(table: Table, *keys: Any, **named: Any) -> Item | None:
        item = original(table, *keys, **named)
        if isinstance(item, StoredItem):
            _index(table, item, None)
            # Still read for ReturnValues, but nowhere to be stored any more.
            item.attrs = item.attrs
            item._table = None
        return item

    return delete_item


def _querying(original: Callable[..., Any]) -> Callable[..., Any]:
    """moto's query on the items of the one hash key that it is about."""

    def query(
        table: Table,
        hash_key: DynamoType | None,
        range_comparison: str | None,
        range_objs: list[DynamoType],
        limit: int,
        exclusive_start_key: dict[str, Any],
        scan_index_forward: bool,
        projection_expressions: list[list[str]] | None,
        index_name: str | None = None,
        *arguments: Any,
        **named: Any,
    ) -> Any:
        given = (range_comparison, range_objs, limit, exclusive_start_key, scan_index_forward, projection_expressions)
        table.__dict__["wanted"] = _wanted(table, hash_key, index_name, named.get("hash_key_conditions"))
        try:
            return original(table, hash_key, *given, index_name, *arguments, **named)
        finally:
            del table.__dict__["wanted"]

    return query


def _wanted(
    table: Table, hash_key: DynamoType | None, index_name: str | None, conditions: list[tuple[str, DynamoType]] | None
) -> Iterable[Item] | None:
    if index_name is None:
        if hash_key not in table.items:
            return ()
        return table.items[hash_key].values() if table.has_range_key else (table.items[hash_key],)
    index = next((index for index in _keys_only(table) if index.name == index_name), None)
    if index is None:
        return None
    with _lock:
        for item in _opened:  # written in this request
            if item._table is table and item._packed is None:
                _index(table, item, item.attrs)
    names = [key["AttributeName"] for key in index.schema if key["KeyType"] == "HASH"]
    values = [value for name, value in conditions or () if name in names]
    entries = table.__dict__.get("entries", {})
    return entries[index_name][values[0]].values() if index_name in entries and len(values) == 1 else ()


def _narrowed(original: Callable[[Table], list[Item]]) -> Callable[[Table], list[Item]]:
    def all_items(table: Table) -> list[Item]:
        wanted = table.__dict__.get("wanted")
        return original(table) if wanted is None else list(wanted)

    return all_items
