"""Edits a rule in the user's editor. The text is never lost, even if it is invalid."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from uploader.errors import CommandError, UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """A text in a temporary file, until it is written or discarded."""

    path: Path
    original: str

    @classmethod
    def of(cls, name: str, text: str) -> Draft:
        path = Path(tempfile.mkdtemp(prefix="imagewatch-")) / name
        path.write_text(text, encoding="utf-8")
        return cls(path, text)

    def edited(self, read: Callable[[str], T], again: Callable[[str], bool]) -> T | None:
        """What `read` returns for the edited text; None when the user left it unchanged.

        When `read` raises, `again` gets the problems and returns whether to open the editor again. If not, this raises a
        CommandError that says where the text is.
        """
        while True:
            _open(self.path)
            try:
                text = self.path.read_text(encoding="utf-8")
                if text == self.original:
                    return None
                return read(text)
            except (UsageError, OSError, UnicodeDecodeError) as error:
                problems = "\n".join([*getattr(error, "details", ()), str(error)])
                if not again(problems):
                    raise CommandError(f"nothing was written. {self.kept}") from error

    @property
    def kept(self) -> str:
        """Where the text is, as a sentence for messages."""
        return f"Your text is kept in {self.path}; `imagewatch rules edit RULE --file {self.path}` uses it."

    def discard(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)  # with what the editor has left there


def _open(path: Path) -> None:
    try:
        click.edit(filename=str(path))
    except click.ClickException as error:
        raise CommandError(
            f"the editor failed ({error.format_message()}), and nothing was written. The text is kept in {path}. "
            "Set EDITOR to another editor, or use --file."
        ) from error
