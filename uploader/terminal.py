"""The terminal: results on stdout, progress and failures on stderr, so that either can be piped away."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

_PIPE_WIDTH = 160
"""Columns when nobody says how wide the output is; rich would take 80 and fold every table."""


class Terminal:
    """Where a command speaks. With `quiet` (--json) only a document goes out, and what is fatal."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def print(self, *parts: RenderableType) -> None:
        """For stdout: what the command was asked for."""
        if not self.quiet:
            for part in parts:
                self._out.print(part, soft_wrap=isinstance(part, str | Text))

    def note(self, part: RenderableType) -> None:
        """For stderr, above a running progress bar: a failure, or a word about what goes on."""
        if not self.quiet:
            self._err.print(part, soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Whether the person at the terminal says yes; whatever else is said, and nothing, is no."""
        self._err.print(f"{question} [y/N] ", end="", soft_wrap=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def print_json(self, content: dict[str, Any]) -> None:
        """The one JSON document of --json. ASCII, so that it survives every terminal and pipe."""
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        sys.stdout.flush()

    @contextmanager
    def upload_bar(self, files: int, size: int) -> Iterator[UploadBar]:
        """A bar that counts bytes (`size` in all) and files; nothing where stderr is no terminal."""
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                   TimeRemainingColumn())  # fmt: skip
        with self._progress(*columns) as progress:
            yield UploadBar(progress, files, size)

    @contextmanager
    def waiting_bar(self, images: int) -> Iterator[WaitingBar]:
        """A bar that counts images whose analysis has ended."""
        with self._progress(TextColumn("Analyzing"), BarColumn(), MofNCompleteColumn()) as progress:
            yield WaitingBar(progress, progress.add_task("", total=images))

    @contextmanager
    def counting_bar(self, doing: str, total: int | None) -> Iterator[CountingBar]:
        """A bar that counts things as they are done, `total` in all, where that is known."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with self._progress(*columns) as progress:
            yield CountingBar(progress, progress.add_task(doing, total=total))

    def _progress(self, *columns: Any) -> Progress:
        off = self.quiet or not self._err.is_terminal
        return Progress(*columns, console=self._err, disable=off, transient=True)


class UploadBar:
    """Counts files and bytes; called from several threads."""

    def __init__(self, progress: Progress, files: int, size: int) -> None:
        self._progress, self._files, self._ended = progress, files, 0
        self._task = progress.add_task(self._words, total=size)

    def sent(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def file_ended(self) -> None:
        self._ended += 1
        self._progress.update(self._task, description=self._words)

    @property
    def _words(self) -> str:
        return f"Uploading {self._ended:,}/{self._files:,}"


class CountingBar:
    """Counts things that are done; what is being done can be said anew."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def at(self, count: int, doing: str) -> None:
        self._progress.update(self._task, completed=count, description=doing)


class WaitingBar:
    """Counts images whose analysis has ended."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def image_ended(self) -> None:
        self._progress.advance(self._task)


def printable(text: str) -> str:
    """The text with control characters spelled out, so that no file name can command the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console
