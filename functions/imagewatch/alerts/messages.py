"""What a message says on each channel: Slack's blocks, and the webhook's JSON document with its signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from imagewatch.alerts import digest as digests
from imagewatch.alerts import slack_text
from imagewatch.alerts.alert import was_it_wrong
from imagewatch.images.version import ImageVersion

ALERT = "alert"
DIGEST = "digest"
NOTICE = "notice"
TEST = "test"
PING = "ping"

SIGNATURE_HEADER = "X-Imagewatch-Signature"
DOCUMENT_VERSION = 1

# Slack's limits, in characters: Block Kit reference (header, context's text, image); those of sections are in slack_text.py.
_SLACK_HEADER = 150
_SLACK_CONTEXT = 2000
_SLACK_URL = 3000
_ABOUT_THE_ALERT = (
    "AlertId", "RuleId", "RuleName", "RuleVersion", "Severity", "CreatedAt", "SuppressedBefore", "DigestId", "Count",
)  # fmt: skip


class Picture(Protocol):
    """The image with its boxes; None from either where it can't be had, because no picture is a reason not to alert."""

    def jpeg(self) -> bytes | None: ...

    def url(self) -> str | None: ...


@dataclass(frozen=True)
class Message:
    """One message to people, whatever channel carries it."""

    subject: str
    """One line of at most 99 UTF-16 units, as `alerts.compose` makes it: SNS refuses others."""
    body: str
    """Plain text."""
    alert: Mapping[str, Any]
    """The alert (or digest) as it is recorded; empty for a test."""
    image: ImageVersion | None = None
    picture: Picture | None = None
    link: str = ""
    """Where a person sees the image."""
    kind: str = ALERT
    """ALERT, DIGEST, NOTICE (of Imagewatch itself), TEST or PING (which people never see: a check that somebody listens)."""


def digest_bytes(kind: str) -> int:
    """How many bytes of UTF-8 a digest may have on a channel of this kind, so that all of it is shown."""
    return slack_text.MAX_TEXT - 100 if kind == "slack" else digests.MAX_BYTES


def slack_payload(message: Message, picture_url: str | None) -> dict[str, Any]:
    """The payload for Slack's incoming webhook. What comes from outside stands in plain_text, where nothing is a command."""
    # A line of its own, so that a long text doesn't cut it off.
    ask = was_it_wrong(message.alert["AlertId"]) if message.kind == ALERT and message.alert.get("AlertId") else ""
    body = message.body.removesuffix(ask).rstrip("\n")
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.subject, _SLACK_HEADER)},
        *({"type": "section", "text": _plain(part, slack_text.MAX_SECTION)} for part in slack_text.sections(body)),
    ]
    if picture_url and len(picture_url) <= _SLACK_URL:
        blocks.append({"type": "image", "image_url": picture_url, "alt_text": _cut(message.subject, _SLACK_HEADER)})
    if message.link:
        link = {"type": "mrkdwn", "text": f"<{_escaped(message.link)}|See the image>"}
        blocks.append({"type": "section", "text": link})
    if ask:
        blocks.append({"type": "context", "elements": [_plain(ask, _SLACK_CONTEXT)]})
    return {"text": _escaped(message.subject), "blocks": blocks}


def webhook_document(message: Message, channel_id: str, sent_at: str, picture: bytes | None) -> dict[str, Any]:
    """What a webhook receives; docs/webhook.schema.json describes it. `picture` is a JPEG."""
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
    if message.alert:
        document["Alert"] = _about_the_alert(message.alert)
    if message.image:
        document["Image"] = message.image.to_state()
    if picture:
        document["Picture"] = {"MediaType": "image/jpeg", "Base64": base64.b64encode(picture).decode("ascii")}
    return document


def encoded(document: Mapping[str, Any]) -> bytes:
    """The bytes that are sent, and signed."""
    return json.dumps(document, separators=(",", ":"), default=_json_number).encode("ascii")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Imagewatch-Signature. The time is signed too, so that a recorded message can't be replayed later."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def _about_the_alert(alert: Mapping[str, Any]) -> dict[str, Any]:
    about = {name: alert[name] for name in _ABOUT_THE_ALERT if alert.get(name) is not None}
    matches = alert.get("Matches") or alert.get("Rule", {}).get("Matches")
    return {**about, "Matches": matches} if matches else about


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, limit) or " ", "emoji": False}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    # Slack's three: "Escaping text". A bar would end a link's address.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "%7C")


def _json_number(value: Any) -> float:
    """A Decimal, as DynamoDB gives numbers, is a JSON number too."""
    return float(value)
