"""The JSON document that webhooks receive, and its signature. docs/webhook.schema.json describes the document."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from imagewatch.alerts.alert import Alert
from imagewatch.alerts.channel import Message
from imagewatch.alerts.digest import Digest

SIGNATURE_HEADER = "X-Imagewatch-Signature"
DOCUMENT_VERSION = 1


def webhook_document(message: Message, channel_id: str, sent_at: str, picture: bytes | None) -> dict[str, Any]:
    """The document for one message. `picture` is a JPEG."""
    document: dict[str, Any] = {
        "Type": message.kind,
        "DocumentVersion": DOCUMENT_VERSION,
        "Channel": channel_id,
        "SentAt": sent_at,
        "Subject": message.subject,
        "Body": message.body,
    }
    if message.link:
        document["Link"] = message.link
    if message.alerts:
        document["Alert"] = _alert(message.alerts[0])
        document["Alerts"] = [_alert(alert) for alert in message.alerts]
    if message.digest:
        document["Alert"] = _digest(message.digest)
    if message.image:
        document["Image"] = message.image.to_state()
    if picture:
        document["Picture"] = {"MediaType": "image/jpeg", "Base64": base64.b64encode(picture).decode("ascii")}
    return document


def encoded(document: Mapping[str, Any]) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(document, separators=(",", ":"), default=_json_number).encode("ascii")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Imagewatch-Signature. The time is signed too, so that a recorded request can't be replayed later."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "AlertId": alert.alert_id,
        "RuleId": alert.rule_id,
        "RuleName": alert.rule_name,
        "RuleVersion": alert.rule_version,
        "Severity": alert.severity,
        "CreatedAt": alert.created_at,
        "SuppressedBefore": alert.suppressed_before,
        "Matches": [match.to_item() for match in alert.matches],
    }


def _digest(digest: Digest) -> dict[str, Any]:
    about = {"AlertId": digest.record_id, "DigestId": digest.digest_id}
    return {**about, "Count": digest.count, "CreatedAt": digest.created_at}


def _json_number(value: Any) -> float:
    """DynamoDB's numbers are Decimals."""
    return float(value)
