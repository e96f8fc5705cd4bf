"""DynamoDB: plain values to items and back, conditional updates, and retried writes.

Numbers are Decimals only here. In expressions, attribute names are written as #Name, because many are reserved words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.aws.clients import client, error_code, translated
from imagewatch.decimals import from_decimals, to_decimals
from imagewatch.errors import Throttled, TransientError
from imagewatch.observability import logger

Item = dict[str, Any]
T = TypeVar("T")

WRITE_PAUSES = (0.1, 0.3, 0.9)
"""Seconds before each further attempt of `retry_write`. Their sum is short beside the timeouts of the functions that send."""

_READ_BATCH = 100  # keys in one BatchGetItem
_READ_ATTEMPTS = 6
_TRANSIENT_CANCELLATIONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


@dataclass(frozen=True)
class Written:
    """The outcome of a conditional update."""

    done: bool
    """False when the condition was not met."""
    item: dict[str, Any]
    """Plain values: the item after the update, or as it was when the condition refused it. Empty when there is none."""


def conditional_update(
    table: str,
    key: Mapping[str, str],
    update: str,
    condition: str = "",
    values: Mapping[str, Any] | None = None,
    *,
    returns: str = "ALL_NEW",
) -> Written:
    """Updates one item if the condition holds. `#Name` stands for the attribute Name; `values` are plain, with their colons.

    Raises TransientError, or ClientError for every other refusal than the condition's.
    """
    optional = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in re.findall(r"#(\w+)", f"{update} {condition}")},
        "ExpressionAttributeValues": to_item(values or {}),
    }
    try:
        with translated():
            answer = client("dynamodb").update_item(
                TableName=table,
                Key=to_item(key),
                UpdateExpression=update,
                ReturnValues=returns,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **{name: value for name, value in optional.items() if value},
            )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        response: dict[str, Any] = {**error.response}
        return Written(False, from_item(response.get("Item", {})))
    return Written(True, from_item(answer.get("Attributes", {})))


def transact_updates(table: str, updates: Sequence[tuple[Mapping[str, str], str, Mapping[str, Any]]]) -> None:
    """Makes up to 100 updates, each (key, update expression, values), or none. Costs twice the write units of single updates.

    Raises Throttled where another write of the same items or a limit cancelled them. Source: DynamoDB developer guide, "Amazon
    DynamoDB Transactions: How it works".
    """
    steps = [
        {
            "Update": {
                "TableName": table,
                "Key": to_item(key),
                "UpdateExpression": update,
                "ExpressionAttributeNames": {f"#{name}": name for name in re.findall(r"#(\w+)", update)},
                "ExpressionAttributeValues": to_item(values),
            }
        }
        for key, update, values in updates
    ]
    try:
        with translated():
            client("dynamodb").transact_write_items(TransactItems=steps)
    except ClientError as error:
        response: dict[str, Any] = {**error.response}
        codes = {reason.get("Code", "None") for reason in response.get("CancellationReasons", [])} - {"None"}
        if codes and codes <= _TRANSIENT_CANCELLATIONS:
            raise Throttled(str(error)) from error
        raise


def set_clause(names: Sequence[str] | Mapping[str, Any]) -> str:
    """("A", "B") -> "SET #A = :A, #B = :B"."""
    return "SET " + ", ".join(f"#{name} = :{name}" for name in names)


def placeholders(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"A": 1} -> {":A": 1}: the values that belong to `set_clause`."""
    return {f":{name}": value for name, value in values.items()}


def read_batch(table: str, keys: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The items with these keys that exist, in any order, as plain values: a strongly consistent read.

    Raises Throttled when DynamoDB leaves keys unread at each of several attempts.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(keys), _READ_BATCH):
        wanted = [to_item(key) for key in keys[start : start + _READ_BATCH]]
        for attempt in range(_READ_ATTEMPTS):
            with translated():
                answer = client("dynamodb").batch_get_item(RequestItems={table: {"Keys": wanted, "ConsistentRead": True}})
            found += map(from_item, answer["Responses"].get(table, []))
            wanted = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if not wanted:
                break
            timestamps.pause(0.05 * 2**attempt)
        else:
            raise Throttled(f"{table} left {len(wanted)} items unread after {_READ_ATTEMPTS} attempts.")
    return found


def retry_write(write: Callable[[], T], give_up: int) -> T:
    """Returns what `write` returns. Retries it after each of WRITE_PAUSES while it raises a TransientError; then raises that.

    After `give_up` (microseconds since the epoch) there are no retries, so that many messages don't outlast their function.
    Used where a missing write would make a later attempt send a message again.
    """
    for pause in WRITE_PAUSES:
        try:
            return write()
        except TransientError as error:
            if timestamps.now() >= give_up:
                raise
            logger.warning("The outcome of a message was not written. The write is retried.", reason=str(error))
            timestamps.pause(pause)
    return write()


def to_item(values: Mapping[str, Any]) -> Item:
    """Plain values as a DynamoDB item."""
    return {name: _serializer.serialize(to_decimals(value)) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A DynamoDB item as plain values. Numbers become int or float."""
    return {name: from_decimals(_deserializer.deserialize(value)) for name, value in item.items()}


def set_expression(values: Mapping[str, Any]) -> tuple[str, dict[str, str], Item]:
    """("SET #Name = :Name, ...", attribute names, attribute values) for an update."""
    return set_clause(values), {f"#{name}": name for name in values}, {f":{name}": v for name, v in to_item(values).items()}
