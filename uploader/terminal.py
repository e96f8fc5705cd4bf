"""The terminal: results go to stdout, progress and failures to stderr, so that each can be redirected."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
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
"""Columns when the output is no terminal. rich would take 80 and fold every table."""


class Terminal:
    """Prints for a command. With `quiet` (--json) it prints only the JSON document and fatal errors."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def print(self, *parts: RenderableType) -> None:
        """Prints results to stdout."""
        if not self.quiet:
            for part in parts:
                self._out.print(part, soft_wrap=isinstance(part, str | Text))

    def note(self, part: RenderableType) -> None:
        """Prints a failure or a remark to stderr, above a running progress bar."""
        if not self.quiet:
            self._err.print(part, soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Asks a yes-or-no question on stderr. No input, or its end, is no."""
        try:
            return click.confirm(question, default=False, err=True)
        except click.Abort as abort:  # click's name for both Ctrl-C and the end of the input
            click.echo(err=True)
            if isinstance(abort.__context__, KeyboardInterrupt):
                raise
            return False

    def print_json(self, content: dict[str, Any]) -> None:
        """Prints the JSON document of --json, in ASCII, so that every terminal and pipe can carry it."""
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        sys.stdout.flush()

    @contextmanager
    def upload_bar(self, files: int, size: int) -> Iterator[UploadBar]:
        """A bar that counts files and bytes (`size` in total). It is hidden when stderr is no terminal."""
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                   TimeRemainingColumn())  # fmt: skip
        with self._progress(*columns) as progress:
            yield UploadBar(progress, files, size)

    @contextmanager
    def waiting_bar(self, images: int) -> Iterator[WaitingBar]:
        """A bar that counts images whose analysis has finished."""
        with self._progress(TextColumn("Analyzing"), BarColumn(), MofNCompleteColumn()) as progress:
            yield WaitingBar(progress, progress.add_task("", total=images))

    @contextmanager
    def counting_bar(self, description: str, total: int | None) -> Iterator[CountingBar]:
        """A bar that counts items; `total` is None when it is unknown."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with self._progress(*columns) as progress:
            yield CountingBar(progress, progress.add_task(description, total=total))

    def _progress(self, *columns: Any) -> Progress:
        off = self.quiet or not self._err.is_terminal
        return Progress(*columns, console=self._err, disable=off, transient=True)


class UploadBar:
    """Counts files and bytes. Several threads may call it."""

    def __init__(self, progress: Progress, files: int, size: int) -> None:
        self._progress, self._files, self._finished = progress, files, 0
        self._task = progress.add_task(self._description, total=size)

    def sent(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def finish_file(self) -> None:
        self._finished += 1
        self._progress.update(self._task, description=self._description)

    @property
    def _description(self) -> str:
        return f"Uploading {self._finished:,}/{self._files:,}"


class CountingBar:
    """Counts items. Its description can change."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def update(self, count: int, description: str) -> None:
        self._progress.update(self._task, completed=count, description=description)


class WaitingBar:
    """Counts images whose analysis has finished."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def finish_image(self) -> None:
        self._progress.advance(self._task)


def printable(text: str) -> str:
    """The text with control characters escaped, so that no file name can send commands to the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console
