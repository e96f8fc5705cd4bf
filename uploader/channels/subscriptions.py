"""E-mail subscriptions to the topics of a deployment: who is subscribed, and confirming a subscription."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from uploader.aws.errors import AWS_ERRORS, aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError, UsageError

CONFIRMED = "confirmed"
UNCONFIRMED = "unconfirmed"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_STATES = {"PendingConfirmation": UNCONFIRMED, "Deleted": "deleted"}


@dataclass(frozen=True)
class Subscription:
    """One subscription to a topic."""

    topic: str
    """"alerts" or "operations"."""
    protocol: str
    endpoint: str
    state: str
    protected: bool | None
    """Whether unsubscribing takes AWS credentials, and not only the link in each e-mail; None when that is unknown."""
    arn: str = ""
    """Empty before it is confirmed."""


def subscriptions(aws: Aws, stack: str) -> list[Subscription]:
    """The subscriptions to the alerts and the operations topic. Raises CommandError."""
    found = []
    with aws_call("read the subscriptions (sns:ListSubscriptionsByTopic)"):
        for topic, arn in _topics(aws, stack).items():
            for page in aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn):
                found += [_subscription(aws, topic, entry) for entry in page["Subscriptions"]]
    return found


def confirm(aws: Aws, stack: str, given: str, topic: str) -> tuple[str, str]:
    """Confirms a subscription so that only AWS credentials can end it. Returns (topic ARN, subscription ARN).

    `given` is the link in the e-mail from SNS, or the token in it; `topic` ("alerts", "operations") is for a token alone.
    """
    arns = _topics(aws, stack)
    named, token = token_in(given)
    if named and named not in arns.values():
        raise UsageError(f"the link is for the topic {named}, which the stack {stack} doesn't have. Name its stack with --stack.")
    arn = named or arns[topic]
    with aws_call(f"confirm a subscription (sns:ConfirmSubscription on {arn})"):
        answer = aws.sns.confirm_subscription(TopicArn=arn, Token=token, AuthenticateOnUnsubscribe="true")
    return arn, str(answer["SubscriptionArn"])


def subscribe(aws: Aws, stack: str, address: str) -> bool:
    """Subscribes an e-mail address to the alerts topic; False when it has confirmed already.

    SNS sends the address a link to confirm, again for one that is not confirmed (SNS API reference, "Subscribe").
    """
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{address!r} is not an e-mail address.")
    if any(entry.state == CONFIRMED for entry in _of_address(aws, stack, address)):
        return False
    topic = _topics(aws, stack)["alerts"]
    with aws_call(f"subscribe an address (sns:Subscribe on {topic})"):
        aws.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    return True


def unsubscribe(aws: Aws, stack: str, address: str) -> None:
    """Ends an address's subscription to the alerts topic. Raises CommandError when it has none that can be ended.

    SNS deletes a subscription that is not confirmed by itself; until then it has no ARN, so that it can't be ended.
    """
    found = _of_address(aws, stack, address)
    arns = [entry.arn for entry in found if entry.state == CONFIRMED]
    if not found:
        raise CommandError(f"{address} is not subscribed. `imagewatch channels list` shows the subscribers.")
    if not arns:
        raise CommandError(f"{address} has not confirmed its subscription. SNS deletes it after 2 days if it stays so.")
    with aws_call("end the subscription (sns:Unsubscribe)"):
        for arn in arns:
            aws.sns.unsubscribe(SubscriptionArn=arn)


def _of_address(aws: Aws, stack: str, address: str) -> list[Subscription]:
    entries = (entry for entry in subscriptions(aws, stack) if (entry.topic, entry.protocol) == ("alerts", "email"))
    return [entry for entry in entries if entry.endpoint.lower() == address.lower()]


def token_in(given: str) -> tuple[str, str]:
    """(topic ARN, token) in the link from SNS; ("", token) for a token alone. Raises UsageError for anything else."""
    text = given.strip()
    if "://" not in text:
        if not re.fullmatch(r"[0-9A-Za-z_-]{20,}", text):
            raise UsageError(
                'that is neither a token nor a link. Copy the address of "Confirm subscription" in the e-mail from SNS.'
            )
        return "", text
    fields = parse_qs(urlsplit(text).query)
    if not fields.get("Token") or not fields.get("TopicArn"):
        raise UsageError('the link has no token. Copy the whole address of "Confirm subscription" in the e-mail, in quotes.')
    return fields["TopicArn"][0], fields["Token"][0]


def _topics(aws: Aws, stack: str) -> dict[str, str]:
    return dict(zip(("alerts", "operations"), find_outputs(aws, stack, "AlertsTopicArn", "OperationsTopicArn"), strict=True))


def _subscription(aws: Aws, topic: str, entry: Mapping[str, Any]) -> Subscription:
    arn = entry["SubscriptionArn"]
    state = _STATES.get(arn, CONFIRMED)
    return Subscription(
        topic, entry["Protocol"], entry["Endpoint"], state, _protected(aws, arn, state), arn if state == CONFIRMED else ""
    )


def _protected(aws: Aws, arn: str, state: str) -> bool | None:
    if state != CONFIRMED:
        return None
    try:
        attributes = aws.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    except AWS_ERRORS:  # shown only to users who may read it
        return None
    return str(attributes.get("ConfirmationWasAuthenticated", "")).lower() == "true"
