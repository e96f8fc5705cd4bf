"""Names that Rekognition is known to return, and suggestions for terms that no known name matches."""

from __future__ import annotations

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
    """Names of common labels: some of the 3,000 that Rekognition knows, used for suggestions only."""
    return tuple(name for group, names in _built_in().items() if group not in ("Moderation", "Categories") for name in names)


@functools.cache
def known_names() -> tuple[str, ...]:
    """Common labels, categories and moderation labels."""
    return (*common_labels(), *_built_in()["Categories"], *_built_in()["Moderation"])


def is_known(name: str, known: Iterable[str] = ()) -> bool:
    """Whether whole words of a built-in name, or of one in `known`, are this name."""
    wanted = words_of(name)
    return any(contains(words_of(one), wanted) for one in (*known_names(), *known))


def suggestions(name: str, known: Iterable[str] = (), *, most: int = 3) -> list[str]:
    """Known names that are similar to `name`, the most similar first; empty when the name is known itself.

    `known` are names that images of this deployment have, in addition to the built-in ones. A name without similar ones isn't
    necessarily wrong.
    """
    import difflib  # only unknown names need it

    if is_known(name, known):
        return []
    by_text = {" ".join(words_of(one)): one for one in (*known_names(), *known)}
    wanted = " ".join(words_of(name))
    singular = wanted.removesuffix("s")
    close = difflib.get_close_matches(wanted, by_text, most, cutoff=0.7)
    return [by_text[text] for text in dict.fromkeys([*([singular] if singular in by_text else []), *close])][:most]
