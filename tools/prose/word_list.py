"""The words that prose must not use: those that the glossary rules out, and the mannered ones of words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORDS = Path(__file__).parent / "words.toml"
_ROW = re.compile(r"^\|(?P<word>[^|]+)\|[^|]+\|(?P<ruled_out>[^|]*)\|$", re.MULTILINE)


class WordListError(Exception):
    """words.toml or the glossary can't be used; the message says where and why."""


@dataclass(frozen=True)
class Word:
    """A word or phrase that is ruled out, and what to write instead."""

    text: str
    pattern: re.Pattern[str]
    instead: str


@dataclass(frozen=True)
class Exemption:
    """A place where a word is allowed, with the reason. `path` is a file or a folder, relative to the repository."""

    path: str
    word: str
    reason: str

    def covers(self, path: str, word: str) -> bool:
        return word == self.word and (path == self.path or path.startswith(f"{self.path}/"))


@dataclass(frozen=True)
class WordList:
    words: tuple[Word, ...]
    exemptions: tuple[Exemption, ...]
    ignored: dict[str, str]
    """Files and folders that aren't checked, with the reason."""


def load_word_list(glossary: Path, words: Path = WORDS) -> WordList:
    """Raises WordListError for an entry without a reason or a replacement."""
    data: dict[str, Any] = tomllib.loads(words.read_text(encoding="utf-8"))
    mannered = [_word(text, instead) for text, instead in data["mannered"].items()]
    exemptions = tuple(Exemption(**entry) for entry in data.get("exemption", []))
    ignored: dict[str, str] = data.get("ignored", {})
    for what, reason in [*((entry.path, entry.reason) for entry in exemptions), *ignored.items()]:
        if not reason.strip():
            raise WordListError(f"{words.name}: {what} is exempt without a reason")
    return WordList((*_of_glossary(glossary), *mannered), exemptions, ignored)


def _of_glossary(glossary: Path) -> Iterator[Word]:
    """The words in code type of the last column; a row without one rules out nothing that a program can find."""
    for row in _ROW.finditer(glossary.read_text(encoding="utf-8")):
        for text in re.findall(r"`([^`]+)`", row["ruled_out"]):
            yield _word(text, row["word"].strip())


def _word(text: str, instead: str) -> Word:
    """`text` is a regular expression; a space in it matches any white space, a line break included."""
    if not instead.strip():
        raise WordListError(f"{text!r} has no replacement")
    return Word(text, re.compile(rf"\b(?:{text})\b".replace(" ", r"\s+"), re.IGNORECASE), instead)
