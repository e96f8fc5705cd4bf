"""Functions that poll queues: batches, reported failures, and the dead-letter queue."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator.lambda_.queue_poller import succeeded
from local.emulator.lambda_.workers import Result

from .small_stack import SmallStack, eventually

MESSAGES: Any = [SimpleNamespace(id="a"), SimpleNamespace(id="b")]


def deleted(answer: Any, error: str | None = None, *, reports: bool = True) -> list[str]:
    payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return [message.id for message in succeeded(MESSAGES, Result(payload, "request", error), reports)]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_a_batch_without_reported_failures_is_deleted(answer: Any) -> None:
    assert deleted(answer) == ["a", "b"]


def test_only_what_was_reported_stays_in_the_queue() -> None:
    assert deleted({"batchItemFailures": [{"itemIdentifier": "a"}]}) == ["b"]


@pytest.mark.parametrize("answer", ["nonsense", {"batchItemFailures": [{"itemIdentifier": "c"}]}, {"batchItemFailures": [{}]}])
def test_an_invalid_response_keeps_the_whole_batch(answer: Any) -> None:
    assert deleted(answer) == []


def test_a_failed_invocation_keeps_the_whole_batch() -> None:
    assert deleted({"errorType": "Exception"}, "Unhandled") == []


def test_reports_are_ignored_unless_the_mapping_asks_for_them() -> None:
    assert deleted({"batchItemFailures": [{"itemIdentifier": "a"}]}, reports=False) == ["a", "b"]


def test_a_message_that_fails_repeatedly_is_moved_to_the_dead_letter_queue(small: SmallStack) -> None:
    sqs = small.client("sqs")
    for body in ("take", "refuse", "take"):
        sqs.send_message(QueueUrl=small.outputs["QueueUrl"], MessageBody=body)
    dead: list[str] = []

    def arrived() -> bool:
        answer = sqs.receive_message(QueueUrl=small.outputs["DeadLettersUrl"])
        dead.extend(message["Body"] for message in answer.get("Messages", []))
        return bool(dead)

    eventually(arrived, "nothing reached the dead-letter queue")
    assert dead == ["refuse"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=small.outputs["QueueUrl"], AttributeNames=names)["Attributes"]
    assert set(left.values()) == {"0"}
