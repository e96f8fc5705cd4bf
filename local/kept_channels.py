"""Keeps channels for the next run of the local stack: their records, their secrets, and the addresses that get e-mails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Kept = dict[str, Any]
TOPICS = ("AlertsTopicArn", "OperationsTopicArn")  # outputs of the template
_OF_THE_RUN = ("NextSlot", "PausedUntil")  # of the rate limiter and of an answer of the channel


def read(client: Callable[[str], Any], outputs: Mapping[str, str]) -> Kept:
    """Returns the records, the secrets by the names of their parameters, and the addresses by topic."""
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=outputs["ChannelsTableName"])
    records = [item for page in pages for item in page["Items"] if "Kind" in item or item["ChannelId"]["S"] == "email"]
    names = [item["SecretParameter"]["S"] for item in records if "SecretParameter" in item]
    return {
        "records": [{name: value for name, value in item.items() if name not in _OF_THE_RUN} for item in records],
        "secrets": {name: _secret(client("ssm"), name) for name in names},
        "addresses": {topic: _addresses(client("sns"), outputs[topic]) for topic in TOPICS},
    }


def write(client: Callable[[str], Any], outputs: Mapping[str, str], kept: Kept) -> None:
    """Brings the channels of `read` back. Addresses count as confirmed, as all addresses on this machine do."""
    for name, value in kept["secrets"].items():
        client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    for item in kept["records"]:
        client("dynamodb").put_item(TableName=outputs["ChannelsTableName"], Item=item)
    for topic, addresses in kept["addresses"].items():
        for address in addresses:
            client("sns").subscribe(TopicArn=outputs[topic], Protocol="email", Endpoint=address)


def _secret(ssm: Any, name: str) -> str:
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _addresses(sns: Any, topic: str) -> list[str]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [entry["Endpoint"] for page in pages for entry in page["Subscriptions"] if entry["Protocol"] == "email"]
