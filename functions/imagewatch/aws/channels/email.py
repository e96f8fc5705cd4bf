"""E-mail through SNS: every confirmed subscription to the AlertsTopic gets the message."""

from __future__ import annotations

import json
from dataclasses import dataclass

from imagewatch.alerts.channel import FAILING, OK, UNCONFIRMED, ChannelRecord, Message
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
    attributes = {
        "RuleId": list(dict.fromkeys(alert.rule_id for alert in message.alerts)),
        "Severity": list(dict.fromkeys(alert.severity for alert in message.alerts)),
    }
    with translated():
        answer = client("sns").publish(
            TopicArn=setting("ALERTS_TOPIC_ARN"),
            Subject=message.subject,
            Message=message.body,
            MessageAttributes={name: _attribute(values) for name, values in attributes.items() if values},
        )
    return str(answer["MessageId"])


def _attribute(values: list[str]) -> dict[str, str]:
    """For filter policies of subscriptions, which match an array when they match one of its values.

    Source: "Amazon SNS message attributes" (String.Array) and "String value matching" in the SNS developer guide.
    """
    if len(values) == 1:
        return {"DataType": "String", "StringValue": values[0]}
    return {"DataType": "String.Array", "StringValue": json.dumps(values)}


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
