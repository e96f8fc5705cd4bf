"""Any HTTPS address: a JSON document with a signature by which the receiver knows us (docs/channels.md)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from imagewatch.alerts.channel_health import OK
from imagewatch.alerts.messages import PING, SIGNATURE_HEADER, Message, encoded, signature, webhook_document
from imagewatch.aws import secrets
from imagewatch.aws.channels import http
from imagewatch.timestamps import iso_utc


def send(record: Mapping[str, Any], message: Message) -> str:
    """Posts the signed document; returns the status that it was taken with."""
    picture = message.picture.jpeg() if message.picture else None
    document = webhook_document(message, record["ChannelId"], iso_utc(datetime.now(UTC)), picture)
    body, now = encoded(document), int(time.time())
    secret = secrets.read(record["SecretParameter"], record.get("UpdatedAt", ""))
    headers = {SIGNATURE_HEADER: signature(secret, now, body), "User-Agent": "imagewatch"}
    answer = http.post(record["Url"], body, headers)
    http.judge(answer, http.refuse_unsafe(record["Url"]))
    return f"HTTP {answer.status}"


def check(record: Mapping[str, Any]) -> tuple[str, str]:
    """Posts a document of Type "ping", which a receiver takes without telling anybody."""
    ping = Message("Ping", "A daily check that this address still listens. Nobody needs to be told.", {}, kind=PING)
    return OK, f"answers with {send(record, ping)}"
