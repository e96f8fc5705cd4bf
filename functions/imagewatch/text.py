"""Compares names by their words, in any case and with any punctuation, and shortens text for messages."""

from __future__ import annotations

import functools
import re
import unicodedata

_MAX_LINE = 400

Words = tuple[str, ...]


@functools.lru_cache(maxsize=8192)
def words_of(text: str) -> Words:
    """The words of a name, case-folded, without punctuation, and with accents in one normal form."""
    return tuple(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def comparable(text: str) -> str:
    """The words of a name without accents, with one space between them: two names that a search treats alike are equal in it."""
    words = " ".join(words_of(text))
    bare = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c))
    return " ".join(words_of(bare))


def contains(words: Words, wanted: Words) -> bool:
    """Whether `words` contains the wanted words side by side: "car" is in "Sports Car" and not in "Carpet"."""
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))


def one_line(text: str) -> str:
    """Text from users (file names, rule names) without line breaks and control characters, which SNS refuses."""
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in text)
    return shortened(" ".join(visible.split()), _MAX_LINE)


def shortened(text: str, limit: int) -> str:
    """The text, at most `limit` UTF-16 units long: cut between characters and ended with an ellipsis where it is longer."""
    # SNS doesn't document how it counts an emoji. UTF-16 units are the largest of the possible counts.
    units = text.encode("utf-16-le")
    return text if len(units) <= 2 * limit else units[: 2 * (limit - 1)].decode("utf-16-le", "ignore").rstrip() + "…"
