"""Transactions on the emulator's DynamoDB end as moto's own do, and copy no table."""

from __future__ import annotations

import copy
import random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb import models
from moto.dynamodb.models.table import Table

from local.emulator.moto_patches import dynamodb_items, dynamodb_transactions

TABLES = ("plain", "ranged")
ACCESS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}


@pytest.fixture(autouse=True, scope="module")
def moto_as_it_is() -> Any:
    """Removes the patch that the tests of this folder share; each of these tests decides."""
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(models.copy, dynamodb_transactions._Copy):
            patch.setattr(models, "copy", copy)
            patch.setattr(models.DynamoDBBackend, "transact_write_items", dynamodb_transactions.MOTOS)
        yield


def with_tables() -> Any:
    dynamodb = boto3.client("dynamodb", **ACCESS)
    for name in TABLES:
        names = ["Id", "Part"] if name == "ranged" else ["Id"]
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in names],
            KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind in zip(names, ("HASH", "RANGE"), strict=False)],
        )
    return dynamodb


def action(chance: random.Random) -> dict[str, Any]:
    table = chance.choice(TABLES)
    key = {"Id": {"S": chance.choice("abc")}} | ({"Part": {"S": chance.choice("xy")}} if table == "ranged" else {})
    condition = chance.choice(
        [{}, {"ConditionExpression": "attribute_exists(Id)"}, {"ConditionExpression": "attribute_not_exists(Id)"}]
    )
    kind = chance.choice(["Put", "Update", "Delete", "ConditionCheck"])
    if kind == "Put":
        return {"Put": {"TableName": table, "Item": {**key, "N": {"N": str(chance.randrange(100))}}, **condition}}
    if kind == "Update":
        change = {"UpdateExpression": "ADD N :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
        return {"Update": {"TableName": table, "Key": key, **change, **condition}}
    if kind == "Delete":
        return {"Delete": {"TableName": table, "Key": key, **condition}}
    return {"ConditionCheck": {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(Id)"}}


def run(seed: int) -> list[Any]:
    """The answer and the content of the tables after each of 40 transactions."""
    chance, dynamodb, seen = random.Random(seed), with_tables(), []
    for _ in range(40):
        try:
            dynamodb.transact_write_items(TransactItems=[action(chance) for _ in range(chance.randint(1, 4))])
            answer = "written"
        except ClientError as error:
            answer = str(error)
        contents = [sorted(map(str, dynamodb.scan(TableName=name)["Items"])) for name in TABLES]
        seen.append((answer, contents))
    return seen


@pytest.mark.parametrize("seed", range(4))
def test_random_transactions_end_as_those_of_moto(seed: int) -> None:
    with mock_aws():
        expected = run(seed)
    restore = dynamodb_transactions.install()
    try:
        with mock_aws():
            assert run(seed) == expected
    finally:
        restore()
    assert {answer == "written" for answer, _ in expected} == {True, False}


def test_no_table_is_copied_and_packed_items_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(table: Table, memo: Any) -> None:
        raise AssertionError("a table was copied")

    monkeypatch.setattr(Table, "__deepcopy__", refuse, raising=False)
    restores = [dynamodb_items.install(), dynamodb_transactions.install()]
    try:
        with mock_aws():
            dynamodb = with_tables()
            with dynamodb_items.request("PutItem"):
                dynamodb.put_item(TableName="plain", Item={"Id": {"S": "a"}, "N": {"N": "1"}})
            update = {"TableName": "plain", "UpdateExpression": "SET N = :n", "ExpressionAttributeValues": {":n": {"N": "2"}}}
            check = {"TableName": "plain", "Key": {"Id": {"S": "b"}}, "ConditionExpression": "attribute_exists(Id)"}
            changes = [{"Update": {**update, "Key": {"Id": {"S": "a"}}}}, {"ConditionCheck": check}]
            with dynamodb_items.request("TransactWriteItems"), pytest.raises(ClientError, match="ConditionalCheckFailed"):
                dynamodb.transact_write_items(TransactItems=changes)
            with dynamodb_items.request("GetItem"):
                assert dynamodb.get_item(TableName="plain", Key={"Id": {"S": "a"}})["Item"]["N"] == {"N": "1"}
            with dynamodb_items.request("TransactWriteItems"):
                dynamodb.transact_write_items(TransactItems=changes[:1])
            with dynamodb_items.request("Scan"):
                assert dynamodb.scan(TableName="plain")["Items"] == [{"Id": {"S": "a"}, "N": {"N": "2"}}]
    finally:
        for restore in reversed(restores):
            restore()
