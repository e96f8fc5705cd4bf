"""A mailbox on this machine: every e-mail that the stack would send lands here, as JSON and as a real .eml file."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
DEFAULT_SUBJECT = "AWS Notification Message"
_NOT_IN_A_SUBJECT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Mailbox:
    """Keeps delivered messages in memory and writes each to `directory`, which is made if it isn't there.

    Concurrent deliveries each get a file and a place in the list. Files of earlier runs are left alone.
    """

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._delivered: list[dict[str, str]] = []

    def deliver(self, to: str, subject: str, body: str) -> Path:
        """Write one message and remember it; returns its file. ValueError if the subject holds a line break."""
        message = EmailMessage()
        now = datetime.now(UTC)
        message["From"], message["To"], message["Subject"] = SENDER, to, subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
        message.set_content(body, charset="utf-8")
        with self._lock:
            path = self._directory / f"{now:%Y%m%dT%H%M%S.%fZ}-{next(self._numbers):05}.eml"
            path.write_bytes(message.as_bytes())
            at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._delivered.append({"to": to, "subject": subject, "body": body, "at": at})
        return path

    def list(self) -> list[dict[str, str]]:
        """Every message of this run as {to, subject, body, at}, the newest last; `at` is ISO 8601 UTC."""
        with self._lock:
            return [dict(message) for message in self._delivered]


def subject_problem(subject: str | None) -> str | None:
    """Why SNS refuses this subject, None when it takes it.

    botocore's SNS model: UTF-8 text with no line breaks or control characters, less than 100 characters long.
    """
    if subject is None:
        return None
    if not subject.strip() or len(subject) >= 100 or _NOT_IN_A_SUBJECT.search(subject):
        return "Invalid parameter: Subject"
    return None


def install_sns_capture(mailbox: Mailbox) -> Callable[[], None]:
    """Make moto's SNS deliver to e-mail subscriptions and check subjects; returns a function that undoes it.

    A subscription that is pending confirmation gets nothing, as on AWS; those that the stack's template makes count as
    confirmed (moto marks them so). A filter policy is honoured by moto's own matcher.
    """
    from moto.sns.exceptions import SNSInvalidParameter
    from moto.sns.models import SNSBackend, Subscription

    publish_to_topic, publish_to_subscription = SNSBackend.publish, Subscription.publish

    def publish(self: Any, message: str, *args: Any, **named: Any) -> str:
        if problem := subject_problem(named.get("subject")):
            raise SNSInvalidParameter(problem)
        message_id = publish_to_topic(self, message, *args, **named)
        for topic in self.topics.values():
            topic.sent_notifications.clear()  # moto's list of all that was ever published, for tests of its own
        return message_id

    def deliver(self: Any, message: str, message_id: str, **named: Any) -> None:
        if self.protocol not in ("email", "email-json"):
            publish_to_subscription(self, message, message_id, **named)
        elif _receives(self, message, named.get("message_attributes")):
            _deliver(mailbox, self, message, message_id, named.get("subject"), named.get("message_structure"))

    SNSBackend.publish, Subscription.publish = publish, deliver  # type: ignore[method-assign,assignment]

    def undo() -> None:
        SNSBackend.publish, Subscription.publish = publish_to_topic, publish_to_subscription  # type: ignore[method-assign]

    return undo


def _receives(subscription: Any, message: str, attributes: dict[str, Any] | None) -> bool:
    if str(subscription.attributes.get("PendingConfirmation", False)).lower() == "true":
        return False
    matcher = subscription._filter_policy_matcher
    return matcher is None or bool(matcher.matches(attributes, message))


def _deliver(
    mailbox: Mailbox, subscription: Any, message: str, message_id: str, subject: str | None, structure: str | None
) -> None:
    if structure == "json":
        message = subscription._parse_message_structure(message, subscription.protocol)
    if subscription.protocol == "email-json":
        told = {"Type": "Notification", "MessageId": message_id, "TopicArn": subscription.topic_arn, "Message": message}
        message = json.dumps({**told, **({"Subject": subject} if subject else {})}, ensure_ascii=False, indent=2)
    mailbox.deliver(subscription.endpoint, subject or DEFAULT_SUBJECT, message)
