"""E-mail through SNS: everybody who has confirmed a subscription to the AlertsTopic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch.alerts.channel_health import FAILING, OK, PENDING
from imagewatch.alerts.messages import Message
from imagewatch.aws.clients import client, translated
from imagewatch.aws.settings import setting

_UNCONFIRMED = ("PendingConfirmation", "Deleted")


@dataclass(frozen=True)
class Subscribers:
    """How many addresses get messages, and which don't yet."""

    confirmed: int
    pending: list[str]


def send(record: Mapping[str, Any], message: Message) -> str:
    """Publishes to the AlertsTopic; returns SNS's message id."""
    known = {name: str(message.alert[name]) for name in ("RuleId", "Severity") if message.alert.get(name)}
    with translated():
        answer = client("sns").publish(
            TopicArn=setting("ALERTS_TOPIC_ARN"),
            Subject=message.subject,
            Message=message.body,
            # Subscriptions can filter on these.
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in known.items()},
        )
    return str(answer["MessageId"])


def check(record: Mapping[str, Any]) -> tuple[str, str]:
    """(status, reason). SNS takes messages for a topic that nobody listens to without a word, so the subscribers are counted."""
    found = subscribers(setting("ALERTS_TOPIC_ARN"))
    waiting = ", ".join(found.pending)
    if found.confirmed and not found.pending:
        return OK, f"{found.confirmed} confirmed"
    if found.confirmed:
        return OK, f"{found.confirmed} confirmed; not confirmed yet: {waiting}"
    if found.pending:
        return PENDING, f"Nobody has confirmed the subscription: {waiting}. Confirm it with `imagewatch alerts confirm`."
    return FAILING, "Nobody is subscribed to the alerts topic. Deploy with AlertEmail, or subscribe an address to it."


def subscribers(topic: str) -> Subscribers:
    """Who is subscribed to a topic. A subscription that SNS has switched off (over 10 e-mails a second) is pending again."""
    with translated():
        pages = list(client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
    subscriptions = [entry for page in pages for entry in page["Subscriptions"]]
    pending = [entry["Endpoint"] for entry in subscriptions if entry["SubscriptionArn"] in _UNCONFIRMED]
    return Subscribers(len(subscriptions) - len(pending), pending)
