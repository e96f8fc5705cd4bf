"""The emulator's queries of one partition return the same pages as moto's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.dynamodb.models.table import Table

MOTO = Table.query  # before the fixture quick_moto replaces it
POSITIONS = [f"2026-01-{day:02}#{letter}" for day in (1, 2, 3, 10) for letter in "ab"]
CONDITIONS = [
    ("", {}),
    (" AND #at BETWEEN :first AND :last", {":first": "2026-01-02", ":last": "2026-01-03~"}),
    (" AND #at BETWEEN :first AND :last", {":first": "2026-01-02#a", ":last": "2026-01-02#b"}),
    (" AND #at > :first", {":first": "2026-01-02#a"}),
    (" AND #at <= :first", {":first": "2026-01-02#a"}),
    (" AND #at = :first", {":first": "2026-01-02#a"}),
    (" AND begins_with(#at, :first)", {":first": "2026-01-0"}),
]


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="rows",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Posting", "Position", "Kind")],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "ByKind",
                    "KeySchema": [
                        {"AttributeName": "Kind", "KeyType": "HASH"},
                        {"AttributeName": "Position", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            KeySchema=[{"AttributeName": "Posting", "KeyType": "HASH"}, {"AttributeName": "Position", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for posting in ("a", "b"):
            for number, position in enumerate(POSITIONS):
                item = {
                    "Posting": {"S": posting},
                    "Position": {"S": position},
                    "Number": {"N": str(number)},
                    "Kind": {"S": "xy"[number % 2]},
                }
                client.put_item(TableName="rows", Item=item)
        yield client


def answer(dynamodb: Any, request: dict[str, Any]) -> tuple[Any, ...]:
    found = dynamodb.query(TableName="rows", **request)
    return found["Items"], found["Count"], found["ScannedCount"], found.get("LastEvaluatedKey")


def motos_answer(dynamodb: Any, request: dict[str, Any]) -> tuple[Any, ...]:
    """The answer of moto itself, without the emulator's replacement that the other tests use too."""
    replaced = Table.query
    assert replaced is not MOTO
    Table.query = MOTO
    try:
        return answer(dynamodb, request)
    finally:
        Table.query = replaced


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["a", "b", "c"]), st.sampled_from(CONDITIONS), st.booleans(), st.none() | st.integers(1, 9),
       st.none() | st.sampled_from([*POSITIONS, "2026-01-02#aa"]), st.sampled_from(["", "#number > :number"]),
       st.booleans())  # fmt: skip
def test_a_query_returns_what_motos_returns(
    dynamodb: Any, posting: str, condition: tuple[str, dict[str, str]], forward: bool, limit: int | None, start: str | None,
    filtered: str, projected: bool,
) -> None:  # fmt: skip
    text, values = condition
    names = ({"#at": "Position"} if "#at" in text else {}) | ({"#number": "Number"} if filtered else {})
    request: dict[str, Any] = {
        "KeyConditionExpression": f"Posting = :posting{text}",
        "ExpressionAttributeValues": {":posting": {"S": posting}, **{name: {"S": value} for name, value in values.items()}},
        "ScanIndexForward": forward,
    }
    if filtered:
        request["FilterExpression"] = filtered
        request["ExpressionAttributeValues"][":number"] = {"N": "3"}
    if names:
        request["ExpressionAttributeNames"] = names
    if limit:
        request["Limit"] = limit
    if start:
        request["ExclusiveStartKey"] = {"Posting": {"S": posting}, "Position": {"S": start}}
    if projected:
        request["ProjectionExpression"] = "Posting"
    assert answer(dynamodb, request) == motos_answer(dynamodb, request)


@pytest.mark.parametrize("text", ["Kind = :kind", "Kind = :kind AND #at > :first"])
@pytest.mark.parametrize("kind", ["x", "y", "z"])
def test_a_query_of_an_index_returns_what_motos_returns(dynamodb: Any, text: str, kind: str) -> None:
    request: dict[str, Any] = {
        "IndexName": "ByKind",
        "KeyConditionExpression": text,
        "ExpressionAttributeValues": {":kind": {"S": kind}, **({":first": {"S": "2026-01-02"}} if "#at" in text else {})},
        **({"ExpressionAttributeNames": {"#at": "Position"}} if "#at" in text else {}),
    }
    expected = motos_answer(dynamodb, request)
    assert bool(expected[0]) == (kind != "z")
    assert answer(dynamodb, request) == expected
