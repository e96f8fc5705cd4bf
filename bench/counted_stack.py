"""`python -m bench.counted_stack`: the local stack with a ledger of every request (calls.jsonl in its state folder).

For DynamoDB, the line also holds the request units, which are calculated from the items themselves.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from bench.dynamodb_units import index_write_units, item_size, read_units, write_units
from local import __main__ as local_main
from local.emulator.gateway.call import Call
from local.emulator.gateway.gateway import Gateway
from local.emulator.gateway.http_server import Request, Response
from local.emulator.gateway.identification import identify
from local.emulator.lambda_.runner import LambdaRunner
from local.emulator.lambda_.workers import Result

LEDGER = "calls.jsonl"
Item = dict[str, dict[str, Any]]


class Ledger:
    """Writes one JSON line for each request and for each invocation, in the order in which they ended."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def write(self, **entry: Any) -> None:
        with self._lock:
            self._file.write(json.dumps({"at": time.time(), **entry}) + "\n")


def install(ledger: Ledger) -> None:
    """Makes the gateway and the runner write into the ledger."""
    answer, invoke = Gateway.__call__, LambdaRunner.invoke

    def counted_answer(self: Gateway, request: Request) -> Response:
        if request.target.startswith("/_local/"):
            return answer(self, request)
        host = request.headers.get("host", "")
        call = identify(request.method, host, request.path, request.query, request.headers, request.body)
        role = self._identities.role_of(call.access_key)  # the gateway has no public way to name the caller
        if role is None:
            return answer(self, request)
        charged = _dynamodb_units(call, request.body) if call.service == "dynamodb" else dict
        response = answer(self, request)
        entry = {"kind": "call", "function": logical(role.session), "service": call.service, "operation": call.operation}
        ledger.write(**entry, status=response.status, **charged())
        return response

    def counted_invoke(self: LambdaRunner, name_or_arn: str, event: bytes, trace_id: str = "") -> Result:
        result = invoke(self, name_or_arn, event, trace_id)
        ledger.write(kind="invocation", function=logical(self.function(name_or_arn).name), event_bytes=len(event))
        return result

    Gateway.__call__ = counted_answer  # type: ignore[method-assign]
    LambdaRunner.invoke = counted_invoke  # type: ignore[method-assign]


def logical(name: str) -> str:
    """A deployed function's or table's logical id in the template, without the word Function."""
    parts = name.split("-")
    return (parts[1] if len(parts) > 2 else name).removesuffix("Function")


def _dynamodb_units(call: Call, body: bytes) -> Callable[[], dict[str, Any]]:
    """Reads the items before the request. The returned function reads them again and returns the table and the units."""
    asked: dict[str, Any] = json.loads(body)
    backend = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    if call.operation == "BatchWriteItem":
        ((name, requests),) = asked["RequestItems"].items()
        keys = [entry["PutRequest"]["Item"] if "PutRequest" in entry else entry["DeleteRequest"]["Key"] for entry in requests]
    else:
        name = asked["TableName"]
        keys = [asked["Key"]] if "Key" in asked else [asked["Item"]] if "Item" in asked else []
    table = backend.tables[name]
    before = [_item(table, key) for key in keys]

    def calculate() -> dict[str, Any]:
        after = [_item(table, key) for key in keys]
        found: dict[str, Any] = {"table": logical(name), "items": [item_size(item) for item in after if item]}
        consistent = bool(asked.get("ConsistentRead"))
        if call.operation == "GetItem":
            return {**found, "read": read_units([_size(before[0])], consistent=consistent)}
        if call.operation == "Scan":
            return {
                **found,
                "read": read_units([item_size(_attributes(item)) for item in table.all_items()], consistent=consistent),
            }
        pairs = list(zip(before, after, strict=True))
        written = sum(write_units(_size(old), _size(new)) for old, new in pairs)
        indexed = sum(
            index_write_units(_projected(index, old), _projected(index, new), [key["AttributeName"] for key in index.schema])
            for old, new in pairs
            for index in table.global_indexes
        )
        return {**found, "write": written + indexed}

    return calculate


def _item(table: Any, key: Mapping[str, Any]) -> Item | None:
    values = [DynamoType(key[name]) if name else None for name in (table.hash_key_attr, table.range_key_attr)]
    found = table.get_item(*values)
    return _attributes(found) if found else None


def _attributes(item: Any) -> Item:
    attributes: Item = item.to_json()["Attributes"]
    return attributes


def _size(item: Item | None) -> int:
    return item_size(item) if item else 0


def _projected(index: Any, item: Item | None) -> Item | None:
    """The part of an item that the index holds; None when the item lacks one of the index's keys."""
    keys = [key["AttributeName"] for key in index.schema]
    if item is None or any(key not in item for key in keys):
        return None
    projection = index.projection
    projected = {*keys, *index.table_key_attrs, *projection.get("NonKeyAttributes", [])}
    return {name: value for name, value in item.items() if projection["ProjectionType"] == "ALL" or name in projected}


def main() -> int:
    options = local_main.parser().parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    install(Ledger(options.state / LEDGER))
    return local_main.main()


if __name__ == "__main__":
    sys.exit(main())
