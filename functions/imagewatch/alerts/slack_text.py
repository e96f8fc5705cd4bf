"""How a text of any length is laid out for Slack: in sections that end where a paragraph, a line or at least a word ends."""

from __future__ import annotations

import re

# Slack's limits: Block Kit reference, "Section block" (3,000 characters of text) and "Blocks" (50 in a message). Beyond these it
# refuses messages of some 12,000 characters in all ("msg_blocks_too_long", in no reference: slackapi/bolt-js, issue 2509). That
# is reached long before 50 blocks are.
MAX_SECTION = 3000
MAX_TEXT = 9000

_ENDS = ("\n\n", "\n", " ")
_LINK = re.compile(r"https?://\S+")
_CUT = "The rest of this message is too long for Slack."


def sections(text: str) -> list[str]:
    """The text in parts that Slack takes, at least one; what they leave out is said at the end.

    A link stays whole, or is replaced where no section holds it.
    """
    rest = _LINK.sub(lambda link: _or_its_length(link.group()), text).strip("\n")
    room = MAX_TEXT - len(_CUT)
    parts: list[str] = []
    size = MAX_SECTION
    while rest and size == MAX_SECTION:
        size = min(MAX_SECTION, room - sum(map(len, parts)))
        part, rest = _split(rest, size)
        parts += [part] if part.strip() else []
    return [*parts, _CUT] if rest else parts or [" "]


def _or_its_length(link: str) -> str:
    return link if len(link) <= MAX_SECTION // 2 else f"(a link of {len(link)} characters, too long for Slack)"


def _split(text: str, size: int) -> tuple[str, str]:
    """The text's beginning of at most that size, and what comes after it."""
    if len(text) <= size:
        return text, ""
    for end in _ENDS:
        at = text.rfind(end, 0, size + 1)
        if at >= size // 3:  # sections that are nearly empty would soon be many
            return text[:at], text[at + 1 :].lstrip("\n")
    at = next((link.start() for link in _LINK.finditer(text) if link.start() < size < link.end()), size)
    return text[:at], text[at:]
