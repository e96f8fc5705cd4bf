"""Reads and writes the items of the WatchlistTable for its editors. A write succeeds only if the rule is as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.aws.clients import ClientError, client, error_code, translated
from imagewatch.aws.dynamodb import from_item, to_item
from imagewatch.aws.settings import setting
from imagewatch.rules.mutes import MUTES_ID

Record = dict[str, Any]


def read_all() -> list[Record]:
    """The items of all rules, in the order of their ids, as they are now."""
    with translated():
        pages = list(client("dynamodb").get_paginator("scan").paginate(TableName=setting("WATCHLIST_TABLE"), ConsistentRead=True))
    found = [from_item(item) for page in pages for item in page["Items"]]
    return sorted((item for item in found if item["RuleId"] != MUTES_ID), key=lambda item: str(item["RuleId"]))


def read(rule_id: str) -> Record | None:
    """The item of one rule, or None."""
    with translated():
        answer = client("dynamodb").get_item(
            TableName=setting("WATCHLIST_TABLE"), Key=to_item({"RuleId": rule_id}), ConsistentRead=True
        )
    return from_item(answer["Item"]) if "Item" in answer else None


def create(item: Mapping[str, Any]) -> bool:
    """Writes a new rule; False when there is a rule of this id."""
    return _put(item, "attribute_not_exists(RuleId)", {})


def replace(item: Mapping[str, Any], before: Record) -> bool:
    """Writes a rule in place of the item that was read; False when that has changed since."""
    return _put(item, *_unchanged(before))


def delete(before: Record) -> bool:
    """Deletes the item that was read; False when it has changed since."""
    condition, values = _unchanged(before)
    try:
        with translated():
            client("dynamodb").delete_item(
                TableName=setting("WATCHLIST_TABLE"),
                Key=to_item({"RuleId": before["RuleId"]}),
                ConditionExpression=condition,
                **_given(values),
            )
    except ClientError as error:
        return _refused(error)
    return True


def _put(item: Mapping[str, Any], condition: str, values: Mapping[str, Any]) -> bool:
    try:
        with translated():
            client("dynamodb").put_item(
                TableName=setting("WATCHLIST_TABLE"), Item=to_item(item), ConditionExpression=condition, **_given(values)
            )
    except ClientError as error:
        return _refused(error)
    return True


def _unchanged(before: Record) -> tuple[str, dict[str, Any]]:
    """Every write increments the version. A rule that was deleted and created again has another time."""
    conditions, values = ["attribute_exists(RuleId)"], {}
    for name in ("Version", "UpdatedAt"):
        if name in before:
            conditions.append(f"{name} = :{name}")
            values[f":{name}"] = before[name]
        else:
            conditions.append(f"attribute_not_exists({name})")
    return " AND ".join(conditions), values


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"ExpressionAttributeValues": to_item(values)} if values else {}


def _refused(error: ClientError) -> bool:
    """False for a failed condition; raises every other error."""
    if error_code(error) == "ConditionalCheckFailedException":
        return False
    raise error
