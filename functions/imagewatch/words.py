"""When two names are the same: by their words, in any case, with any punctuation between them."""

from __future__ import annotations

import functools
import re
import unicodedata

Words = tuple[str, ...]


@functools.lru_cache(maxsize=8192)
def words_of(text: str) -> Words:
    """The words of a name in a form that compares: any case, any punctuation between them, accents however they are typed."""
    return tuple(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def contains(words: Words, wanted: Words) -> bool:
    """Whether the wanted words stand in `words` side by side: "car" is in "Sports Car" and not in "Carpet"."""
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))
