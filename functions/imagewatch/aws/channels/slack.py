"""Slack through an incoming webhook. Its address is the secret, and lies in the Parameter Store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.alerts.channel_health import OK
from imagewatch.alerts.messages import Message, encoded, slack_payload
from imagewatch.aws import secrets
from imagewatch.aws.channels import http
from imagewatch.errors import ChannelRefused

_TAKEN = "ok"
_BAD_PICTURE = "invalid_blocks"  # what Slack answers when it can't fetch the picture
_LISTENS = ("no_text", "invalid_payload", "missing_text_or_fallback_or_attachments")


def send(record: Mapping[str, Any], message: Message) -> str:
    """Posts the message, with its picture where Slack can fetch it; returns Slack's word."""
    picture = message.picture.url() if message.picture else None
    answer = _post(record, encoded(slack_payload(message, picture)))
    if picture and answer.status == 400 and _BAD_PICTURE in answer.text:
        answer = _post(record, encoded(slack_payload(message, None)))
    return _taken(answer)


def check(record: Mapping[str, Any]) -> tuple[str, str]:
    """Posts a payload without text, which a webhook that works refuses in words of its own and shows nobody.

    What takes it must do so as it would take an alert: otherwise the check would find well what no alert gets through.
    """
    answer = _post(record, b"{}")
    if not (answer.status == 400 and answer.text.strip() in _LISTENS):
        _taken(answer)
    return OK, "Slack answers"


def _taken(answer: http.Answer) -> str:
    """Slack's word for a success. Raises what another answer means, and ChannelRefused for somebody else's success."""
    http.judge(answer, "Slack")
    if answer.text.strip() != _TAKEN:
        raise ChannelRefused(f'What answers at the address is not Slack: a success reads "{_TAKEN}" there.')
    return _TAKEN


def _post(record: Mapping[str, Any], body: bytes) -> http.Answer:
    """An address that seems gone may have been replaced since it was read: then the new one is asked."""
    name, changed = record["SecretParameter"], record.get("UpdatedAt", "")
    url = secrets.read(name, changed)
    answer = http.post(url, body, {})
    if answer.status in http.GONE and (replaced := secrets.read(name, changed, fresh=True)) != url:
        return http.post(replaced, body, {})
    return answer
