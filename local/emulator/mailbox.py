"""The local mailbox: receives the e-mails that SNS and Cognito send, as JSON documents and .eml files."""

from __future__ import annotations

import itertools
import json
import re
import threading
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

from local.emulator.moto_patches.replacing import Restore, replace
from local.emulator.timestamps import iso

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
DEFAULT_SUBJECT = "AWS Notification Message"
_OWN_FILES = "[0-9]*T[0-9]*Z-[0-9]*.eml"
_NOT_IN_A_SUBJECT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Mailbox:
    """Keeps delivered messages in memory and writes each to a file in `directory`. Thread-safe.

    The files of an earlier run are deleted: the folder and `list` always show the same messages. A file that can't be written,
    for example because the disk is full, is written later.
    """

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        for file in self._directory.glob(_OWN_FILES):
            file.unlink()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._delivered: list[dict[str, str]] = []
        self._unwritten: dict[Path, bytes] = {}

    def deliver(self, to: str, subject: str, body: str, sender: str = SENDER) -> Path:
        """Deliver one message. Returns its file. Raises ValueError if the subject contains a line break."""
        message = EmailMessage()
        now = datetime.now(UTC)
        message["From"], message["To"], message["Subject"] = sender, to, subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = make_msgid(domain="amazonaws.com")
        message.set_content(body, charset="utf-8")
        with self._lock:
            path = self._directory / f"{now:%Y%m%dT%H%M%S.%fZ}-{next(self._numbers):05}.eml"
            self._delivered.append({"to": to, "subject": subject, "body": body, "at": iso(now)})
            self._unwritten[path] = message.as_bytes()
        self.problem()
        return path

    def problem(self) -> str | None:
        """The reason why files are missing in the folder, or None. Tries to write them first."""
        with self._lock:
            for path, content in list(self._unwritten.items()):
                try:
                    path.write_bytes(content)
                except OSError as error:
                    return f"e-mails can't be written to {self._directory} and wait in memory: {error.strerror}"
                del self._unwritten[path]
        return None

    def list(self) -> list[dict[str, str]]:
        """All messages of this run, oldest first: {to, subject, body, at}. `at` is ISO 8601 in UTC."""
        with self._lock:
            return [dict(message) for message in self._delivered]


def subject_problem(subject: str | None) -> str | None:
    """The reason why SNS refuses this subject, or None.

    Source: botocore's SNS model. UTF-8 text without line breaks and control characters, shorter than 100 characters.
    """
    if subject is None:
        return None
    if not subject.strip() or len(subject) >= 100 or _NOT_IN_A_SUBJECT.search(subject):
        return "Invalid parameter: Subject"
    return None


def install_sns_capture(mailbox: Mailbox) -> Restore:
    """Make moto's SNS deliver to e-mail subscriptions and check subjects. Returns a function that restores moto.

    A subscription that is pending confirmation receives nothing, as on AWS. Subscriptions of the template count as confirmed.
    moto's matcher applies filter policies.
    """
    from moto.sns.exceptions import SNSInvalidParameter
    from moto.sns.models import SNSBackend, Subscription

    publish_to_topic, publish_to_subscription = SNSBackend.publish, Subscription.publish

    def publish(self: Any, message: str, *args: Any, **named: Any) -> Any:
        if problem := subject_problem(named.get("subject")):
            raise SNSInvalidParameter(problem)
        message_id = publish_to_topic(self, message, *args, **named)
        for topic in self.topics.values():
            topic.sent_notifications.clear()  # moto's own tests read this list; it grows without limit
        return message_id

    def deliver(self: Any, message: str, message_id: str, **named: Any) -> None:
        if self.protocol not in ("email", "email-json"):
            publish_to_subscription(self, message, message_id, **named)
        elif _receives(self, message, named.get("message_attributes")):
            _deliver(mailbox, self, message, message_id, named.get("subject"), named.get("message_structure"))

    return replace((SNSBackend, "publish", publish), (Subscription, "publish", deliver))


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
        notification = {"Type": "Notification", "MessageId": message_id, "TopicArn": subscription.topic_arn, "Message": message}
        message = json.dumps({**notification, **({"Subject": subject} if subject else {})}, ensure_ascii=False, indent=2)
    mailbox.deliver(subscription.endpoint, subject or DEFAULT_SUBJECT, message)
