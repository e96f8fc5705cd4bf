"""The mailbox: e-mail files, the list of messages, and SNS's rules for subscriptions."""

from __future__ import annotations

import email
import email.policy
import errno
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from local.emulator.mailbox import Mailbox, install_sns_capture, subject_problem


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path / "mailbox")


@pytest.fixture
def sns(mailbox: Mailbox) -> Iterator[Any]:
    restore = install_sns_capture(mailbox)
    with mock_aws():
        yield boto3.client("sns", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    restore()


@pytest.fixture
def topic(sns: Any) -> str:
    arn: str = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="operator@example.com")
    return arn


def test_writes_a_message_that_a_mail_program_can_open(mailbox: Mailbox) -> None:
    path = mailbox.deliver("operator@example.com", "Hund erkannt: 98,2 % im Gärtchen", "Größe: groß\nZeile zwei 🐕\n")

    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)

    assert path.suffix == ".eml"
    assert message["Subject"] == "Hund erkannt: 98,2 % im Gärtchen"
    assert message["To"] == "operator@example.com"
    assert "no-reply@sns.amazonaws.com" in message["From"]
    assert message.get_content() == "Größe: groß\nZeile zwei 🐕\n"
    assert abs(message["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)


def test_lists_the_newest_last_with_its_time_in_utc(mailbox: Mailbox) -> None:
    mailbox.deliver("a@example.com", "one", "1")
    mailbox.deliver("b@example.com", "two", "2")

    listed = mailbox.list()

    assert [(m["to"], m["subject"], m["body"]) for m in listed] == [
        ("a@example.com", "one", "1"),
        ("b@example.com", "two", "2"),
    ]
    assert all(m["at"].endswith("Z") and datetime.fromisoformat(m["at"]).tzinfo for m in listed)
    assert listed[0]["at"] <= listed[1]["at"]


def test_concurrent_deliveries_get_their_own_files(mailbox: Mailbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda n: mailbox.deliver("a@example.com", f"s{n}", "b"), range(100)))

    assert len(set(paths)) == len(mailbox.list()) == 100
    assert all(path.stat().st_size for path in paths)


def test_a_subject_cannot_add_a_header(mailbox: Mailbox) -> None:
    with pytest.raises(ValueError, match=r"linefeed|newline|header"):
        mailbox.deliver("a@example.com", "x\r\nBcc: everyone@example.com", "b")

    assert mailbox.list() == []


def test_a_publish_reaches_the_subscribed_address(sns: Any, topic: str, mailbox: Mailbox) -> None:
    sns.publish(TopicArn=topic, Subject="Dog seen", Message="Dog, 98.2 %")

    assert [(m["to"], m["subject"], m["body"]) for m in mailbox.list()] == [("operator@example.com", "Dog seen", "Dog, 98.2 %")]


def test_a_batch_reaches_the_subscribed_address(sns: Any, topic: str, mailbox: Mailbox) -> None:
    entries = [{"Id": n, "Message": n, "Subject": f"s{n}"} for n in ("1", "2")]

    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    assert [m["subject"] for m in mailbox.list()] == ["s1", "s2"]


def test_without_a_subject_sns_uses_its_default(sns: Any, topic: str, mailbox: Mailbox) -> None:
    sns.publish(TopicArn=topic, Message="m")

    assert mailbox.list()[0]["subject"] == "AWS Notification Message"


def test_an_unconfirmed_address_gets_nothing(sns: Any, topic: str, mailbox: Mailbox) -> None:
    from moto.sns.models import sns_backends

    for subscription in sns_backends["123456789012"]["us-east-1"].subscriptions.values():
        subscription.attributes["PendingConfirmation"] = True

    sns.publish(TopicArn=topic, Message="m")

    assert mailbox.list() == []


def test_a_filter_policy_excludes_messages(sns: Any, topic: str, mailbox: Mailbox) -> None:
    subscription = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue=json.dumps({"rule": ["dogs"]})
    )

    for rule in ("cats", "dogs"):
        sns.publish(TopicArn=topic, Message=rule, MessageAttributes={"rule": {"DataType": "String", "StringValue": rule}})

    assert [m["body"] for m in mailbox.list()] == ["dogs"]


def test_an_email_json_subscription_gets_the_notification_as_json(sns: Any, topic: str, mailbox: Mailbox) -> None:
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="robot@example.com")

    sns.publish(TopicArn=topic, Subject="S", Message="ü")

    notification = json.loads(next(m["body"] for m in mailbox.list() if m["to"] == "robot@example.com"))
    assert (notification["Type"], notification["Subject"], notification["Message"], notification["TopicArn"]) == (
        "Notification",
        "S",
        "ü",
        topic,
    )


def test_a_message_can_differ_by_protocol(sns: Any, topic: str, mailbox: Mailbox) -> None:
    message = json.dumps({"default": "short", "email": "long"})

    sns.publish(TopicArn=topic, Message=message, MessageStructure="json")

    assert mailbox.list()[0]["body"] == "long"


@pytest.mark.parametrize("subject", ["x" * 100, "a\nb", "a\rb", "a\tb", "a\x00b", "a\x85b", "a\u2028b", " "])
def test_sns_refuses_a_subject_that_aws_refuses(sns: Any, topic: str, mailbox: Mailbox, subject: str) -> None:
    with pytest.raises(ClientError) as raised:
        sns.publish(TopicArn=topic, Subject=subject, Message="m")

    error = raised.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidParameter", "Invalid parameter: Subject")
    assert isinstance(raised.value, sns.exceptions.InvalidParameterException)
    assert mailbox.list() == []


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=99))
def test_a_printable_subject_under_a_hundred_characters_is_accepted(subject: str) -> None:
    assert subject_problem(subject) is None


def test_restoring_leaves_moto_unchanged(mailbox: Mailbox) -> None:
    from moto.sns.models import SNSBackend, Subscription

    before = SNSBackend.publish, Subscription.publish
    install_sns_capture(mailbox)()

    assert (SNSBackend.publish, Subscription.publish) == before


def test_files_of_an_earlier_run_are_deleted_and_other_files_stay(tmp_path: Path) -> None:
    earlier = Mailbox(tmp_path).deliver("a@example.com", "old", "text")
    (tmp_path / "notes.eml").write_text("not ours")

    assert Mailbox(tmp_path).list() == []

    assert not earlier.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["notes.eml"]


def test_a_mail_that_a_full_disk_refuses_is_listed_and_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    mailbox = Mailbox(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        file = mailbox.deliver("a@example.com", "alert", "text")
        assert [mail["subject"] for mail in mailbox.list()] == ["alert"]
        assert mailbox.problem() == f"e-mails can't be written to {tmp_path} and wait in memory: No space left on device"
    assert mailbox.problem() is None
    assert b"Subject: alert" in file.read_bytes()
