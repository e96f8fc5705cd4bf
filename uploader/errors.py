"""The exceptions that end a command. Their messages are for the user, so they say what to do.

CommandError            something outside the command prevents it (no stack, no credentials, no network): exit code 1
└── UsageError          the command asks for something impossible, and nothing was done: exit code 2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any, Self

import click

from uploader.terminal import printable

INTERRUPTED_EXIT_CODE = 130
"""What a shell reports for a command that Ctrl-C ended (128 + SIGINT)."""


class CommandError(click.ClickException):
    """The command can't continue. The message says why and what to do."""

    exit_code = 1
    details: Sequence[str] = ()
    """Lines to print before the message, when there are several problems."""

    @classmethod
    def of_several(cls, problems: Sequence[str], summary: str) -> Self:
        """One error for several problems, so that the user can solve them all at once."""
        if len(problems) == 1:
            return cls(problems[0])
        error = cls(summary)
        error.details = problems
        return error

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the details and the message to stderr."""
        for line in self.details:
            click.echo(printable(line), file=file, err=True)
        click.echo(f"imagewatch: {printable(self.message)}", file=file, err=True)


class UsageError(CommandError):
    """The command asks for something impossible. Nothing was done."""

    exit_code = 2
