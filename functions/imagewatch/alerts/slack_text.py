"""The payload for Slack's incoming webhooks. A long text is split into sections at the end of a paragraph, a line or a word."""

from __future__ import annotations

import re
from typing import Any

from imagewatch.alerts.channel import Message

# Slack's limits in characters: Block Kit reference, "Section block" (text: 3,000), "Header block" (150), "Context block" with
# "Text object" (3,000), "Image block" (image_url: 3,000), "Blocks" (50 in a message). Slack also refuses messages of about 12,000
# characters in all ("msg_blocks_too_long", in no reference: slackapi/bolt-js, issue 2509), long before 50 blocks are reached.
MAX_SECTION = 3000
MAX_TEXT = 9000
MAX_HEADER = 150
_MAX_CONTEXT = 2000
_MAX_URL = 3000

_ENDS = ("\n\n", "\n", " ")
_LINK = re.compile(r"https?://\S+")
_CUT = "The rest of this message is too long for Slack."


def slack_payload(message: Message, picture_url: str | None) -> dict[str, Any]:
    """The payload for one message. Text from outside is always plain_text, which Slack does not interpret."""
    # The commands that mark alerts as wrong have a separate block, so that a long text doesn't cut them off.
    body = message.body.removesuffix(message.feedback).rstrip("\n")
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.subject, MAX_HEADER)},
        *({"type": "section", "text": _plain(part, MAX_SECTION)} for part in sections(body)),
    ]
    if picture_url and len(picture_url) <= _MAX_URL:
        blocks.append({"type": "image", "image_url": picture_url, "alt_text": _cut(message.subject, MAX_HEADER)})
    if message.link:
        link = {"type": "mrkdwn", "text": f"<{_escaped_link(message.link)}|See the image>"}
        blocks.append({"type": "section", "text": link})
    if message.feedback:
        blocks.append({"type": "context", "elements": [_plain(message.feedback, _MAX_CONTEXT)]})
    return {"text": _escaped(message.subject), "blocks": blocks}


def sections(text: str) -> list[str]:
    """The text in at least one part of at most MAX_SECTION characters. The last part says if text was left out.

    A link is never split. A link that is too long for a section is replaced by its length.
    """
    rest = _LINK.sub(lambda link: _link_or_length(link.group()), text).strip("\n")
    room = MAX_TEXT - len(_CUT)
    parts: list[str] = []
    size = MAX_SECTION
    while rest and size == MAX_SECTION:
        size = min(MAX_SECTION, room - sum(map(len, parts)))
        part, rest = _split(rest, size)
        parts += [part] if part.strip() else []
    return [*parts, _CUT] if rest else parts or [" "]


def _link_or_length(link: str) -> str:
    return link if len(link) <= MAX_SECTION // 2 else f"(a link of {len(link)} characters, too long for Slack)"


def _split(text: str, size: int) -> tuple[str, str]:
    """The beginning of the text, of at most that size, and the rest."""
    if len(text) <= size:
        return text, ""
    for end in _ENDS:
        at = text.rfind(end, 0, size + 1)
        if at >= size // 3:  # shorter sections would soon be too many
            return text[:at], text[at + 1 :].lstrip("\n")
    at = next((link.start() for link in _LINK.finditer(text) if link.start() < size < link.end()), size)
    return text[:at], text[at:]


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, limit) or " ", "emoji": False}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    """The three characters that Slack interprets: "Formatting text for app surfaces", "Escaping text"."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_link(link: str) -> str:
    """A bar would end the address."""
    return _escaped(link).replace("|", "%7C")
