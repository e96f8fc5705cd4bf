"""Check Channels on moto and a real HTTP server: which channels work, what is reported, and what a test sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from imagewatch.aws import clients
from imagewatch.aws.channels import webhook

from .alerting import matches, rule
from .conftest import Event, Stack
from .receiver import Receiver
from .test_channels import add, record

UP = (400, b"invalid_payload", {})


@pytest.fixture
def reported(stack: Stack) -> Iterator[Any]:
    """The messages of the operations topic, as a function."""
    sqs = stack.client("sqs")
    queue = sqs.create_queue(QueueName="operations")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stack.client("sns").subscribe(TopicArn=stack.name("OperationsTopic"), Protocol="sqs", Endpoint=arn)

    def read() -> list[Event]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    return read


def check(stack: Stack, event: Event) -> dict[str, tuple[str, str]]:
    found = stack.handler("CheckChannels")(event)["Channels"]
    return {entry["channel_id"]: (entry["status"], entry["reason"]) for entry in found}


def test_nothing_is_reported_while_every_channel_works(stack: Stack, sample: Any, receiver: Receiver, reported: Any) -> None:
    add(stack, "ops", "slack", receiver.url("/slack"))
    add(stack, "home", "webhook", receiver.url("/home"))
    receiver.answers = [(200, b"", {}), UP]  # "home" is asked before "ops"
    assert check(stack, sample("check_channels")) == {
        "email": ("ok", "1 confirmed"),
        "home": ("ok", "answers with HTTP 200"),
        "ops": ("ok", "Slack answers"),
    }
    assert reported() == stack.mailbox() == []
    home, ops = receiver.received
    assert json.loads(home.body)["Type"] == "ping"
    assert "X-Imagewatch-Signature" in home.headers
    assert ops.body == b"{}"  # Slack does not show a message without text
    assert record(stack, "ops")["CheckedAt"]


def test_a_dead_channel_is_reported_through_another_with_what_to_do(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    add(stack, "ops", "slack", receiver.url())
    receiver.answer(404, b"no_service")
    assert check(stack, sample("check_channels"))["ops"][0] == "disabled"

    (message,) = reported()
    assert message["Subject"] == "Imagewatch: alerts through ops reach no one"
    assert "no_service" in message["Message"]
    assert "imagewatch channels add ops --kind slack" in message["Message"]
    assert record(stack, "ops")["Status"] == "disabled"
    assert '"ChannelsDead":1' in capsys.readouterr().out.replace(" ", "").replace("[1.0]", "1").replace("[1]", "1")


def test_a_channel_that_stays_dead_is_reported_again_and_one_that_comes_back_is_used_again(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any
) -> None:
    add(stack, "home", "webhook", receiver.url())
    receiver.answers = [(410, b"", {}), (410, b"", {}), (200, b"", {})]
    states = [check(stack, sample("check_channels"))["home"][0] for _ in range(3)]
    assert states == ["disabled", "disabled", "ok"]
    assert len(reported()) == 2
    assert record(stack, "home")["Status"] == "ok"


def test_a_channel_that_fails_is_dead_until_it_answers_but_alerts_still_try_it(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any
) -> None:
    add(stack, "home", "webhook", receiver.url())
    receiver.answers = [(500, b"oops", {}), (200, b"", {})]
    assert check(stack, sample("check_channels"))["home"] == ("failing", '127.0.0.1 failed (HTTP 500: "oops").')
    assert len(reported()) == 1
    assert stack.handler("CheckChannels")({"Test": ["home"]})["Channels"][0]["Outcome"] == "SENT"


def test_a_channel_that_a_message_finds_gone_is_reported_at_once_through_the_working_ones(
    stack: Stack, receiver: Receiver
) -> None:
    add(stack, "home", "webhook", receiver.url("/home"))
    add(stack, "ops", "slack", receiver.url("/slack"))
    receiver.answers = [(410, b"moved out", {}), (200, b"ok", {})]
    event = matches("a", rule(Channels=["home", "email"]))
    assert stack.handler("SendAlert")(event)["Sent"] == 1
    notice, alert = sorted(stack.mailbox(), key=lambda mail: mail["Subject"])
    assert notice["Subject"] == "Imagewatch: alerts through home reach no one"
    assert "moved out" in notice["Message"]
    assert alert["Subject"].startswith("Person at gate")
    assert [got.path for got in receiver.received] == ["/home", "/slack"]
    stack.handler("SendAlert")(matches("b", rule(Channels=["home", "email"])))
    assert len(stack.mailbox()) == 1  # it is reported once; the daily check reports it again
    assert "ReportPending" not in record(stack, "home")


def test_an_unexpected_error_in_one_channel_does_not_stop_the_check_of_the_others(
    stack: Stack, sample: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(stack, "home", "webhook", receiver.url())
    add(stack, "ops", "slack", receiver.url())
    monkeypatch.setattr(webhook, "check", lambda _: 1 // 0)
    receiver.answers = [UP]
    found = check(stack, sample("check_channels"))
    assert (found["home"][0], found["ops"][0], found["email"][0]) == ("failing", "ok", "ok")


@pytest.mark.parametrize("answer", [b"<html>Welcome!</html>", b"", b'{"ok": true}'])
def test_a_receiver_that_is_not_slack_is_a_dead_channel(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any, answer: bytes
) -> None:
    add(stack, "ops", "slack", receiver.url())
    receiver.answer(200, answer)
    status, reason = check(stack, sample("check_channels"))["ops"]
    assert (status, "is not Slack" in reason) == ("failing", True)
    (message,) = reported()
    assert "is not Slack" in message["Message"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [(400, b"no_text"), (400, b"invalid_payload\n"), (400, b"missing_text_or_fallback_or_attachments"), (200, b"ok")],
)
def test_what_refuses_an_empty_message_as_slack_does_or_takes_it_so_lives(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any, status: int, answer: bytes
) -> None:
    add(stack, "ops", "slack", receiver.url())
    receiver.answer(status, answer)
    assert check(stack, sample("check_channels"))["ops"] == ("ok", "Slack answers")
    assert reported() == []


def test_a_channel_that_asks_for_patience_lives(stack: Stack, sample: Any, receiver: Receiver, reported: Any) -> None:
    add(stack, "ops", "slack", receiver.url())
    receiver.answer(429, Retry_After="5")
    assert check(stack, sample("check_channels"))["ops"][0] == "ok"
    assert reported() == []


def test_an_unchecked_channel_is_not_dead_for_asking_for_patience(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    add(stack, "ops", "slack", receiver.url(), Status="unchecked")
    receiver.answer(429)
    assert check(stack, sample("check_channels"))["ops"][0] == "ok"
    assert record(stack, "ops")["Status"] == "ok"
    assert reported() == []
    assert '"ChannelsDead":[0.0]' in capsys.readouterr().out


@pytest.mark.parametrize("status", [200, 410, 500])
def test_a_channel_that_was_replaced_during_its_check_is_not_judged_by_its_old_address(
    stack: Stack, sample: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    add(stack, "home", "webhook", receiver.url(), UpdatedAt="2026-11-20T09:00:00.000Z")
    real = webhook.check

    def replaced_meanwhile(old: Any) -> Any:
        add(stack, "home", "webhook", receiver.url("/new"), UpdatedAt="2026-11-20T10:00:00.000Z", Status="unchecked")
        return real(old)

    monkeypatch.setattr(webhook, "check", replaced_meanwhile)
    receiver.answer(status)
    check(stack, sample("check_channels"))
    assert record(stack, "home")["Status"] == "unchecked"
    assert "CheckedAt" not in record(stack, "home")


def test_a_channel_that_its_owner_switched_off_is_left_alone(
    stack: Stack, sample: Any, receiver: Receiver, reported: Any
) -> None:
    add(stack, "ops", "slack", receiver.url(), Enabled=False)
    stack.put_item("ChannelsTable", {"ChannelId": "email", "Enabled": False})
    assert check(stack, sample("check_channels")) == {}
    assert (receiver.received, reported()) == ([], [])


def test_a_secret_that_is_gone_is_a_dead_channel(stack: Stack, sample: Any, reported: Any) -> None:
    add(stack, "ops", "slack", "https://unused.example.com")
    stack.client("ssm").delete_parameter(Name="/imagewatch/imagewatch/channels/ops")
    status, reason = check(stack, sample("check_channels"))["ops"]
    assert (status, "imagewatch channels add" in reason) == ("failing", True)


@pytest.mark.parametrize(
    ("arns", "status", "reason"),
    [
        ([], "failing", "No one is subscribed"),
        (["PendingConfirmation"], "unconfirmed", "No one has confirmed the subscription: a0@example.com"),
        (["Deleted"], "unconfirmed", "a0@example.com"),
        (
            ["arn:aws:sns:us-east-1:123456789012:t:1", "PendingConfirmation"],
            "ok",
            "1 confirmed; not confirmed yet: a1@example.com",
        ),
        (["arn:aws:sns:us-east-1:123456789012:t:1"], "ok", "1 confirmed"),
    ],
)
def test_who_would_get_an_email_decides_about_email(
    stack: Stack, sample: Any, monkeypatch: pytest.MonkeyPatch, arns: list[str], status: str, reason: str
) -> None:
    handler = stack.handler("CheckChannels")
    sns = clients.client("sns")
    entries = [{"SubscriptionArn": arn, "Endpoint": f"a{n}@example.com"} for n, arn in enumerate(arns)]
    real = sns.get_paginator

    def paginator(operation: str) -> Any:
        class Pages:
            def paginate(self, TopicArn: str) -> Any:  # noqa: N803 - boto3's name
                if TopicArn == stack.name("AlertsTopic"):
                    return [{"Subscriptions": entries}]
                return real(operation).paginate(TopicArn=TopicArn)

        return Pages()

    monkeypatch.setattr(sns, "get_paginator", paginator)
    (email,) = handler(sample("check_channels"))["Channels"]
    assert email["status"] == status
    assert reason in email["reason"]


def test_without_subscribers_to_operations_the_working_channels_report(stack: Stack, sample: Any, receiver: Receiver) -> None:
    add(stack, "ops", "slack", receiver.url("/slack"))
    add(stack, "home", "webhook", receiver.url("/home"))
    receiver.answers = [(410, b"", {}), UP, (200, b"ok", {})]  # "home" is asked before "ops"
    check(stack, sample("check_channels"))
    (mail,) = stack.mailbox()
    assert mail["Subject"] == "Imagewatch: alerts through home reach no one"
    assert [got.path for got in receiver.received] == ["/home", "/slack", "/slack"]
    assert "alerts through home reach no one" in receiver.received[2].body.decode()


def test_a_test_goes_out_through_each_channel_and_says_how_it_went(stack: Stack, receiver: Receiver) -> None:
    add(stack, "home", "webhook", receiver.url())
    add(stack, "ops", "slack", "http://192.0.2.1/secret-path")
    receiver.answer(204)
    outcomes = stack.handler("CheckChannels")({"Test": ["email", "home", "ops", "nowhere"]})["Channels"]
    assert {outcome["ChannelId"]: outcome["Outcome"] for outcome in outcomes} == {
        "email": "SENT",
        "home": "SENT",
        "ops": "FAILED",
        "nowhere": "FAILED",
    }
    (mail,) = stack.mailbox()
    assert mail["Subject"] == "Test of the channel email"
    assert json.loads(receiver.received[0].body)["Type"] == "test"
    assert "https://" in outcomes[2]["Reason"]
    assert "secret-path" not in json.dumps(outcomes)


def test_a_test_records_the_health_of_its_channel(stack: Stack, receiver: Receiver) -> None:
    add(stack, "home", "webhook", receiver.url(), Status="unchecked")
    test = stack.handler("CheckChannels")
    seen = []
    for status in (500, 204, 403, 429):  # a channel that asks for patience is left as it was
        receiver.answer(status)
        test({"Test": ["home"]})
        seen.append((record(stack, "home")["Status"], record(stack, "home")["StatusReason"]))
    refused = ("failing", "127.0.0.1 refused the message (HTTP 403).")
    assert seen == [("failing", "127.0.0.1 failed (HTTP 500)."), ("ok", "accepted a test (HTTP 204)"), refused, refused]
    assert record(stack, "home")["CheckedAt"]


def test_a_test_that_finds_its_channel_gone_leaves_it_switched_off(stack: Stack, receiver: Receiver) -> None:
    add(stack, "home", "webhook", receiver.url(), Status="unchecked")
    receiver.answer(410, b"moved out")
    for _ in range(2):  # once refused by the address, then for being disabled
        stack.handler("CheckChannels")({"Test": ["home"]})
        assert record(stack, "home")["Status"] == "disabled"
    assert len(receiver.received) == 1


def test_a_test_judges_neither_email_nor_what_is_switched_off(stack: Stack, receiver: Receiver) -> None:
    add(stack, "home", "webhook", receiver.url(), Status="unchecked", Enabled=False)
    stack.handler("CheckChannels")({"Test": ["email", "home", "nowhere"]})
    (home,) = stack.items("ChannelsTable")
    assert (home["ChannelId"], home["Status"]) == ("home", "unchecked")


def test_a_test_of_nothing_checks_nothing(stack: Stack) -> None:
    assert stack.handler("CheckChannels")({"Test": []}) == {"Channels": []}
