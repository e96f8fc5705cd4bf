"""A rule in the editor of whoever is at the terminal. What they typed is never lost, whatever is wrong with it."""

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
    """A text in a file of its own, until it is written or thrown away."""

    path: Path
    original: str

    @classmethod
    def of(cls, name: str, text: str) -> Draft:
        path = Path(tempfile.mkdtemp(prefix="imagewatch-")) / name
        path.write_text(text, encoding="utf-8")
        return cls(path, text)

    def edited(self, read: Callable[[str], T], again: Callable[[str], bool]) -> T | None:
        """What `read` makes of the text once it is right; None when it was left as it was.

        `again` is asked, with what is wrong, whether to go back to the editor; if not, the error ends the command and says where
        the text is.
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
        """Where the text is, for messages."""
        return f"Your text is kept in {self.path}; `imagewatch rules edit RULE --file {self.path}` takes it."

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
