"""Channels on the local stack: created with the client, used by the real workflow, checked as by the schedule."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from PIL import Image

from imagewatch.aws.dynamodb import to_item
from tests.integration.receiver import Receiver, listening
from uploader.cli import main

from .pipeline import Pipeline

PORTRAIT = Path(__file__).parents[2] / "samples" / "astronaut-portrait.jpg"
KEY = "a key of at least sixteen characters"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def without_its_channels(pipeline: Pipeline) -> Iterator[None]:
    yield
    for channel_id in ("ops", "home"):
        imagewatch(pipeline, "channels", "remove", channel_id)


def imagewatch(pipeline: Pipeline, *arguments: str) -> int:
    return main([*arguments, "--endpoint-url", pipeline.stack.endpoint])


def add(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, secret: str, *arguments: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{secret}\n"))
    assert imagewatch(pipeline, "channels", "add", *arguments) == 0


def watch(pipeline: Pipeline, *channels: str) -> None:
    rule = {
        "RuleId": "person-anywhere",
        "Name": "Person anywhere",
        "Enabled": True,
        "AnyOf": [{"Term": "person", "MinConfidence": 50}],
        "Channels": list(channels),
    }
    pipeline.stack.client("dynamodb").put_item(TableName=pipeline.outputs["WatchlistTableName"], Item=to_item(rule))


def of_slack(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(got.body) for got in receiver.received if got.path == "/slack"]


def test_an_alert_reaches_slack_and_a_webhook_with_its_picture_and_the_picture_goes_with_the_image(
    pipeline: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(pipeline, monkeypatch, receiver.url("/slack"), "ops", "--kind", "slack")
    add(pipeline, monkeypatch, KEY, "home", "--kind", "webhook", "--url", receiver.url("/home"))
    assert imagewatch(pipeline, "alerts", "test", "--channel", "ops", "--channel", "home") == 0
    receiver.received.clear()

    watch(pipeline, "ops", "home")
    key = pipeline.upload(PORTRAIT.read_bytes(), "gate.jpg")
    pipeline.ended(key)

    assert pipeline.mail_about(key) == []  # the rule has no email channel
    (posted,) = of_slack(receiver)
    (picture,) = [block["image_url"] for block in posted["blocks"] if block["type"] == "image"]
    with urlopen(picture) as answer:
        fetched = answer.read()
    (document,) = [json.loads(got.body) for got in receiver.received if got.path == "/home"]
    assert document["Image"]["Key"] == key
    assert base64.b64decode(document["Picture"]["Base64"]) == fetched
    with Image.open(io.BytesIO(fetched)) as image:
        assert image.format == "JPEG"

    bucket = pipeline.stack.client("s3")
    bucket.delete_object(Bucket=pipeline.bucket, Key=key)
    pipeline.eventually(lambda: pipeline.record(key) is None, "the image did not go")
    with pytest.raises(HTTPError, match="403"):  # as on AWS: without the list permission a missing object is a 403
        urlopen(picture)


def test_the_daily_check_finds_a_missing_channel_and_notifies_the_operators(
    pipeline: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(pipeline, monkeypatch, receiver.url("/slack"), "ops", "--kind", "slack")
    receiver.answer(410, b"archived_before_the_check")
    sns = pipeline.stack.client("sns")
    topic = pipeline.outputs["OperationsTopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="operations@example.com")["SubscriptionArn"]
    answer = pipeline.stack.client("lambda").invoke(FunctionName=pipeline.function("CheckChannels"), Payload=b"{}")
    sns.unsubscribe(SubscriptionArn=subscription)

    assert "FunctionError" not in answer
    # The operations topic has two subscribers: AlertEmail, to which OperationsEmail falls back, and the one above.
    mails = pipeline.mail_about("archived_before_the_check")
    assert sorted(mail["to"] for mail in mails) == ["operations@example.com", "operator@example.com"]
    capsys.readouterr()
    assert imagewatch(pipeline, "channels", "list", "--json") == 0
    (ops,) = [channel for channel in json.loads(capsys.readouterr().out)["channels"] if channel["id"] == "ops"]
    assert ops["state"] == "disabled"


def test_the_daily_check_is_on_the_schedule(pipeline: Pipeline) -> None:
    rules = pipeline.stack.client("events").list_rules()["Rules"]
    assert "cron(0 6 * * ? *)" in [rule.get("ScheduleExpression") for rule in rules]
