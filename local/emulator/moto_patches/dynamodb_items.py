"""Stores DynamoDB items as packed bytes between requests, and finds queried items by their keys.

moto stores each value as an object; the garbage collector visits all of them. Packed, an item is a few objects. moto answers a
query by sorting the whole table.
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

from local.emulator.moto_patches.replacing import Restore, replace

READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
COMPRESS_FROM_BYTES = 512
_COMPRESSED = b"x"  # the first byte of zlib's output, and never of marshal's

_opened: list[StoredItem] = []
_lock = threading.RLock()


def install() -> Restore:
    """Replace moto's items and queries. A second call does nothing. Returns a function that restores moto.

    Each request must run inside `request`.
    """
    if table_module.Item is StoredItem:
        return replace()
    return replace(
        (table_module, "Item", StoredItem),
        (Table, "put_item", _putting(Table.put_item)),
        (Table, "delete_item", _deleting(Table.delete_item)),
        (Table, "query", _querying(Table.query)),
        (Table, "all_items", _restricted(Table.all_items)),
    )


@contextmanager
def request(operation: str) -> Iterator[None]:
    """Pack the items that the request used when it ends. Only one request may run at a time."""
    try:
        yield
    finally:
        with _lock:
            opened = _opened[:]
            _opened.clear()
            for item in opened:
                item.pack(changed=operation not in READS)


class StoredItem(Item):
    """An item that can be packed. Attributes that were read before it is packed stay valid."""

    _open: LimitedSizeDict | None = None
    _packed: bytes | None = None
    _bound = 0  # of the size, see dynamodb_speed
    _table: Table | None = None
    _entries: tuple[tuple[str, DynamoType], ...] = ()

    @property
    def attrs(self) -> LimitedSizeDict:
        with _lock:
            if self._open is None:
                self._open = unpacked(self._packed or b"")
                self._open.__dict__["size_bound"] = self._bound
                _opened.append(self)
            return self._open

    @attrs.setter
    def attrs(self, attributes: LimitedSizeDict) -> None:
        self._open = attributes

    def stored_in(self, table: Table) -> None:
        """Assign the item to a table. From now on it is packed between requests."""
        self._table = table
        with _lock:
            _opened.append(self)

    def pack(self, *, changed: bool) -> None:
        attributes = self._open
        if attributes is None or self._table is None:
            return
        if changed or self._packed is None:
            self._packed, self._bound = packed(attributes), attributes.__dict__.get("size_bound", 0)
            _index(self._table, self, attributes)
        self._open = None


def packed(attributes: dict[str, DynamoType]) -> bytes:
    """The attributes as bytes. Equal attributes in the same order give the same bytes."""
    content = marshal.dumps({name: _plain(value) for name, value in attributes.items()})
    return zlib.compress(content, 1) if len(content) >= COMPRESS_FROM_BYTES else content


def unpacked(content: bytes) -> LimitedSizeDict:
    """The attributes from the bytes of `packed`."""
    plain = marshal.loads(zlib.decompress(content) if content.startswith(_COMPRESSED) else content)  # noqa: S302 - our own
    attributes = LimitedSizeDict()
    for name, value in plain.items():
        dict.__setitem__(attributes, name, _value(value))
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


def _value(plain: Any) -> Any:
    """The inverse of `_plain`."""
    if type(plain) is not tuple:
        return plain
    value = object.__new__(DynamoType)
    value.type, inner = plain
    if type(inner) is list:
        inner = [_value(item) for item in inner]
    elif type(inner) is dict:
        inner = {name: _value(item) for name, item in inner.items()}
    value.value = inner
    return value


def _index(table: Table, item: StoredItem, attributes: dict[str, DynamoType] | None) -> None:
    """Update the item in the table's keys-only indexes. Without attributes it is removed from them."""
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
            # ReturnValues still reads it; it is no longer stored.
            item.attrs = item.attrs
            item._table = None
        return item

    return delete_item


def _querying(original: Callable[..., Any]) -> Callable[..., Any]:
    """Restrict moto's query to the items of the queried hash key."""

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
        table.__dict__["candidates"] = _candidates(table, hash_key, index_name, named.get("hash_key_conditions"))
        try:
            return original(table, hash_key, *given, index_name, *arguments, **named)
        finally:
            del table.__dict__["candidates"]

    return query


def _candidates(
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


def _restricted(original: Callable[[Table], list[Item]]) -> Callable[[Table], list[Item]]:
    def all_items(table: Table) -> list[Item]:
        candidates = table.__dict__.get("candidates")
        return original(table) if candidates is None else list(candidates)

    return all_items
