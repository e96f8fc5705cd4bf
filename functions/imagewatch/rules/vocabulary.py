"""Names that Rekognition gives: "did you mean", for a rule whose term nothing would ever match."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable
from pathlib import Path

from imagewatch.text import contains, words_of


@functools.cache
def _built_in() -> dict[str, list[str]]:
    names: dict[str, list[str]] = json.loads(Path(__file__).with_name("labels.json").read_text(encoding="utf-8"))
    return names


@functools.cache
def common_labels() -> tuple[str, ...]:
    """Names of labels that are often found. Rekognition knows about 3,000; this is a part of them, for suggestions only."""
    return tuple(name for group, names in _built_in().items() if group not in ("Moderation", "Categories") for name in names)


@functools.cache
def known_names() -> tuple[str, ...]:
    """Common labels, categories and moderation labels."""
    return (*common_labels(), *_built_in()["Categories"], *_built_in()["Moderation"])


def suggestions(name: str, known: Iterable[str] = (), *, most: int = 3) -> list[str]:
    """Known names that are similar to `name`, the most similar first; empty if `name` is known.

    `known` are names that this deployment has seen; they count beside the built-in ones. A name that nothing is close to has
    no suggestions either: that it is unknown doesn't make it wrong.
    """
    wanted = words_of(name)
    by_words = {words_of(one): one for one in (*known_names(), *known)}
    if any(contains(words, wanted) for words in by_words):
        return []
    by_text = {" ".join(words): one for words, one in by_words.items()}
    singular = " ".join(wanted).removesuffix("s")
    close = difflib.get_close_matches(" ".join(wanted), by_text, most, cutoff=0.7)
    return [by_text[text] for text in dict.fromkeys([*([singular] if singular in by_text else []), *close])][:most]
