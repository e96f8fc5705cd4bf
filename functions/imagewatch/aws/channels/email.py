"""E-mail through SNS: every confirmed subscription to the AlertsTopic gets the message."""

from __future__ import annotations

from dataclasses import dataclass

from imagewatch.alerts.channel import FAILING, OK, UNCONFIRMED, ChannelRecord
from imagewatch.alerts.messages import Message
from imagewatch.aws.clients import client, translated
from imagewatch.aws.settings import setting

_NOT_CONFIRMED = ("PendingConfirmation", "Deleted")


@dataclass(frozen=True)
class Subscribers:
    """How many addresses get messages, and which are not confirmed."""

    confirmed: int
    pending: list[str]


def send(record: ChannelRecord, message: Message) -> str:
    """Publishes to the AlertsTopic; returns SNS's message id."""
    attributes = {"RuleId": message.alert.rule_id, "Severity": message.alert.severity} if message.alert else {}
    with translated():
        answer = client("sns").publish(
            TopicArn=setting("ALERTS_TOPIC_ARN"),
            Subject=message.subject,
            Message=message.body,
            # Subscriptions can filter on these.
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        )
    return str(answer["MessageId"])


def check(record: ChannelRecord) -> tuple[str, str]:
    """(status, reason). SNS accepts messages for a topic without subscribers, so the subscribers are counted."""
    found = subscribers(setting("ALERTS_TOPIC_ARN"))
    pending = ", ".join(found.pending)
    if found.confirmed and not found.pending:
        return OK, f"{found.confirmed} confirmed"
    if found.confirmed:
        return OK, f"{found.confirmed} confirmed; not confirmed yet: {pending}"
    if found.pending:
        return UNCONFIRMED, f"No one has confirmed the subscription: {pending}. Confirm it with `imagewatch alerts confirm`."
    return FAILING, "No one is subscribed to the alerts topic. Deploy with AlertEmail, or subscribe an address to it."


def subscribers(topic: str) -> Subscribers:
    """The subscribers of a topic. A subscription that SNS has disabled (over 10 e-mails a second) is pending again."""
    with translated():
        pages = list(client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
    subscriptions = [entry for page in pages for entry in page["Subscriptions"]]
    pending = [entry["Endpoint"] for entry in subscriptions if entry["SubscriptionArn"] in _NOT_CONFIRMED]
    return Subscribers(len(subscriptions) - len(pending), pending)
