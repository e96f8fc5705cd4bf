"""The exceptions that end a command; their text is what the person reads, so it says what to do.

CommandError            the world isn't as it has to be (no stack, no credentials, no network): exit code 1
└── UsageError          the command asks for something that can't be done: exit code 2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class CommandError(Exception):
    """The command can't go on; the message says why and what to do about it."""

    exit_code = 1
    details: Sequence[str] = ()
    """Lines to be printed before the message, where there are several things to put right."""

    @classmethod
    def of_several(cls, problems: Sequence[str], together: str) -> Self:
        """One error for all these problems, so that nobody has to put them right one run at a time."""
        if len(problems) == 1:
            return cls(problems[0])
        error = cls(together)
        error.details = problems
        return error


class UsageError(CommandError):
    """The command was asked for something impossible; nothing has been done."""

    exit_code = 2
