"""Slack through an incoming webhook. The webhook's address is a secret, stored in the Parameter Store."""

from __future__ import annotations

from imagewatch.alerts.channel import OK, ChannelRecord, Message
from imagewatch.alerts.slack_text import slack_payload
from imagewatch.alerts.webhook_document import encoded
from imagewatch.aws import secrets
from imagewatch.aws.channels import http
from imagewatch.errors import ChannelRefused

_ACCEPTED = "ok"
_BAD_PICTURE = "invalid_blocks"  # Slack's answer when it can't fetch the picture
_REFUSALS_OF_NOTHING = ("no_text", "invalid_payload", "missing_text_or_fallback_or_attachments")


def send(record: ChannelRecord, message: Message) -> str:
    """Posts the message, with its picture if Slack can fetch it; returns Slack's answer."""
    picture = message.picture().url() if message.picture else None
    answer = _post(record, encoded(slack_payload(message, picture)))
    if picture and answer.status == 400 and _BAD_PICTURE in answer.text:
        answer = _post(record, encoded(slack_payload(message, None)))
    return _accepted(answer)


def check(record: ChannelRecord) -> tuple[str, str]:
    """Posts a payload without text. A working webhook refuses it with one of Slack's known answers, and shows nothing.

    A receiver that accepts it must answer as it does to an alert: otherwise the check would pass and every alert would fail.
    """
    answer = _post(record, b"{}")
    if not (answer.status == 400 and answer.text.strip() in _REFUSALS_OF_NOTHING):
        _accepted(answer)
    return OK, "Slack answers"


def _accepted(answer: http.Answer) -> str:
    """Slack's answer to an accepted message. Raises the error that any other answer means."""
    http.judge(answer, "Slack")
    if answer.text.strip() != _ACCEPTED:
        raise ChannelRefused(f'The receiver at this address is not Slack: Slack answers "{_ACCEPTED}" to an accepted message.')
    return _ACCEPTED


def _post(record: ChannelRecord, body: bytes) -> http.Answer:
    """Posts to the cached address. If that no longer exists and its owner has replaced it, posts to the new one."""
    name, changed = record.secret_parameter, record.updated_at or ""
    url = secrets.read(name, changed)
    answer = http.post(url, body, {})
    if answer.status in http.GONE and (replaced := secrets.read(name, changed, fresh=True)) != url:
        return http.post(replaced, body, {})
    return answer
