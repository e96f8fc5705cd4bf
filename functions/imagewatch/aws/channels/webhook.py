"""Any HTTPS address: a JSON document with a signature that proves its sender (docs/channels.md)."""

from __future__ import annotations

import time

from imagewatch import timestamps
from imagewatch.alerts.channel import OK, PING, ChannelRecord, Message
from imagewatch.alerts.webhook_document import SIGNATURE_HEADER, encoded, signature, webhook_document
from imagewatch.aws import secrets
from imagewatch.aws.channels import http


def send(record: ChannelRecord, message: Message) -> str:
    """Posts the signed document; returns the HTTP status of the answer."""
    picture = message.picture().jpeg() if message.picture else None
    document = webhook_document(message, record.channel_id, timestamps.iso_now(), picture)
    body, now = encoded(document), int(time.time())
    secret = secrets.read(record.secret_parameter, record.updated_at or "")
    headers = {SIGNATURE_HEADER: signature(secret, now, body), "User-Agent": "imagewatch"}
    answer = http.post(record.url, body, headers)
    http.judge(answer)
    return f"HTTP {answer.status}"


def check(record: ChannelRecord) -> tuple[str, str]:
    """Posts a document of Type "ping", which a receiver accepts without notifying people."""
    ping = Message("Ping", "A daily check that this address accepts messages. No notification is needed.", kind=PING)
    return OK, f"answers with {send(record, ping)}"
