"""Checks files against a word list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.prose.extraction import prose_of
from tools.prose.word_list import Exemption, WordList

_SUFFIXES = {".py", ".md", ".yaml", ".toml", ".json", ".in", ".js", ".css", ".html", ""}
_WORD = re.compile(r"[A-Za-z][A-Za-z']*")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: '{self.found}' -> {self.instead}"


@dataclass
class Result:
    """Findings and number of words by file, and the exemptions that were needed."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    used: set[Exemption] = field(default_factory=set)


def check(root: Path, paths: list[str], word_list: WordList) -> Result:
    """Checks the files at `paths`, relative to `root`, except those that word_list ignores and those without prose."""
    result = Result()
    for path in sorted(paths):
        if (root / path).suffix in _SUFFIXES and not any(_inside(path, folder) for folder in word_list.ignored):
            text = prose_of(root / path)
            result.words[path] = len(_WORD.findall(text))
            result.findings[path] = list(_findings(path, text, word_list, result.used))
    return result


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _findings(path: str, text: str, word_list: WordList, used: set[Exemption]) -> Iterator[Finding]:
    for word in word_list.words:
        exempt = [entry for entry in word_list.exemptions if entry.covers(path, word.text)]
        for match in word.pattern.finditer(text):
            if exempt:
                used.update(exempt)
            else:
                yield Finding(path, text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), word.instead)
