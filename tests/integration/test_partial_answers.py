"""AWS may answer in part: unprocessed keys and items, errors beside successes, pages. What is left is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from imagewatch.alerts.digest import Digest
from imagewatch.aws import s3 as objects
from imagewatch.aws.dynamodb import read_batch
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import digests as digests_table
from imagewatch.errors import Throttled, Unavailable
from uploader.aws.dynamodb import fetch

from .alerting import VirtualClock, alert_of, digested_in, matches
from .conftest import REGION, Stack

pytestmark = pytest.mark.usefixtures("quick_moto")
Call = Callable[[dict[str, Any]], Any]


class PartialAnswers:
    """DynamoDB and S3 as they may answer: `left` is how many more times an operation leaves something undone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: dict[str, int] = {}
        original = BaseClient._make_api_call
        partly = {"BatchGetItem": self._read_one, "BatchWriteItem": self._write_one, "DeleteObjects": self._keep_one}

        def answer(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            def call(changed: dict[str, Any]) -> Any:
                return original(client, operation, changed)

            if operation in ("Query", "Scan"):
                return call({**arguments, "Limit": 1} if self.left.get(operation) else arguments)
            if self.left.get(operation, 0) <= 0:
                return call(arguments)
            self.left[operation] -= 1
            return partly[operation](arguments, call)

        monkeypatch.setattr(BaseClient, "_make_api_call", answer)

    def _read_one(self, arguments: dict[str, Any], call: Call) -> Any:
        """Returns one item of each table."""
        wanted = arguments["RequestItems"]
        first = {table: {**request, "Keys": request["Keys"][:1]} for table, request in wanted.items()}
        rest = {table: {**request, "Keys": request["Keys"][1:]} for table, request in wanted.items() if request["Keys"][1:]}
        return {**call({**arguments, "RequestItems": first}), "UnprocessedKeys": rest}

    def _write_one(self, arguments: dict[str, Any], call: Call) -> Any:
        """Writes one item of each table."""
        wanted = arguments["RequestItems"]
        rest = {table: requests[1:] for table, requests in wanted.items() if requests[1:]}
        call({**arguments, "RequestItems": {table: requests[:1] for table, requests in wanted.items()}})
        return {"UnprocessedItems": rest}

    def _keep_one(self, arguments: dict[str, Any], call: Call) -> Any:
        """Deletes all but the first object."""
        first, *rest = arguments["Delete"]["Objects"]
        if rest:
            call({**arguments, "Delete": {**arguments["Delete"], "Objects": rest}})
        return {"Errors": [{"Key": first["Key"], "Code": "InternalError", "Message": "We encountered an internal error."}]}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> PartialAnswers:
    return PartialAnswers(monkeypatch)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    return VirtualClock(monkeypatch)


@pytest.mark.parametrize("times", [1, 3])
def test_all_keys_of_a_batch_are_read(stack: Stack, answers: PartialAnswers, time: VirtualClock, times: int) -> None:
    for number in range(5):
        stack.put_item("AlertsTable", {"AlertId": str(number)})
    answers.left["BatchGetItem"] = times
    with stack.environment("SendDigest"):
        found = read_batch(stack.name("AlertsTable"), [{"AlertId": str(number)} for number in range(6)])
    assert sorted(item["AlertId"] for item in found) == ["0", "1", "2", "3", "4"]


def test_a_batch_that_stays_unread_is_throttling(stack: Stack, answers: PartialAnswers, time: VirtualClock) -> None:
    answers.left["BatchGetItem"] = 100
    with stack.environment("SendDigest"), pytest.raises(Throttled, match="left 93 items unread"):
        read_batch(stack.name("AlertsTable"), [{"AlertId": str(number)} for number in range(99)])


def test_the_client_reads_all_keys_of_a_batch(stack: Stack, answers: PartialAnswers) -> None:
    for number in range(5):
        stack.put_item("AlertsTable", {"AlertId": str(number)})
    answers.left["BatchGetItem"] = 3
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    found = list(fetch(dynamodb, stack.name("AlertsTable"), [{"AlertId": str(number)} for number in range(5)]))
    assert sorted(item["AlertId"] for item in found) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("operation", ["BatchGetItem", "Query"])
def test_a_digest_reports_every_queued_alert_once(
    stack: Stack, answers: PartialAnswers, time: VirtualClock, operation: str
) -> None:
    names = ["a", "b", "c", "d"]
    stack.client("dynamodb").update_item(
        TableName=stack.name("ChannelsTable"),
        Key={"ChannelId": {"S": "email"}},
        UpdateExpression="SET NextSlot = :later",
        ExpressionAttributeValues={":later": {"N": str(time.now + 2_000_000)}},
    )
    for name in names:
        assert stack.handler("SendAlert")(matches(name))["Queued"] == 1
    time.pass_seconds(10)
    answers.left[operation] = 3
    assert stack.handler("SendDigest")({})["Alerts"] == len(names)
    assert digested_in(stack.mailbox()) == len(names)
    assert {alert_of(stack, name)["Status"] for name in names} == {"DIGESTED"}


@pytest.mark.parametrize("operation", ["BatchGetItem", "Query"])
def test_digests_that_a_crashed_run_left_are_all_found(
    stack: Stack, answers: PartialAnswers, time: VirtualClock, operation: str
) -> None:
    """Otherwise the next run sends their alerts again, in another digest."""
    with stack.environment("SendDigest"):
        for number in range(4):
            digests_table.create(Digest(f"{number:032x}", "email", (f"{number:032x}",), f"2026-11-20T09:30:0{number}.000Z"))
        answers.left[operation] = 3
        assert [digest.member_ids for digest in digests_table.read_unfinished()] == [(f"{number:032x}",) for number in range(4)]


@pytest.mark.parametrize("times", [1, 3])
def test_a_rendition_that_s3_did_not_delete_is_not_forgotten(
    stack: Stack, answers: PartialAnswers, time: VirtualClock, times: int
) -> None:
    keys = ["thumbnails/a", "thumbnails/b"]
    for key in keys:
        stack.client("s3").put_object(Bucket=stack.name("RenditionsBucket"), Key=key, Body=b"x")
    answers.left["DeleteObjects"] = times
    with stack.environment("StoreAnalysis"):
        for _ in range(times):
            with pytest.raises(Unavailable, match="did not delete the rendition thumbnails/a: InternalError"):
                objects.delete_renditions(keys)
        objects.delete_renditions(keys)
    assert stack.keys("RenditionsBucket") == []


def test_an_alert_that_is_read_later_has_its_place(stack: Stack, answers: PartialAnswers, time: VirtualClock) -> None:
    """Alerts are returned from the oldest on, whatever the order of the answers."""
    for name in ("a", "b", "c"):
        stack.handler("SendAlert")(matches(name))
        time.pass_seconds(60)
    ids = [alert_of(stack, name)["AlertId"] for name in ("c", "a", "b")]
    answers.left["BatchGetItem"] = 2
    with stack.environment("SendDigest"):
        found = alerts_table.read(ids)
    assert [alert.key[-5] for alert in found] == ["a", "b", "c"]
