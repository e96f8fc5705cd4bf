"""The mutants of table.toml: one change in a file each, and the tests of which at least one must fail."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("table.toml")


class TableError(Exception):
    """A mutant that can't be applied."""


@dataclass(frozen=True)
class Mutant:
    """One change that a test must notice."""

    name: str
    file: str
    old: str
    """The text that is replaced. It is in the file exactly once."""
    new: str
    tests: tuple[str, ...]
    """Files or node ids of tests. They pass without the change."""

    def applied_to(self, text: str) -> str:
        """The file's text with the change. Raises TableError where `old` isn't in it exactly once."""
        if text.count(self.old) != 1:
            raise TableError(f"{self.name}: the text to replace is {text.count(self.old)} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def read(path: Path = TABLE) -> list[Mutant]:
    """All mutants of the table."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(one["name"], one["file"], one["old"], one["new"], tuple(one["tests"])) for one in entries]
