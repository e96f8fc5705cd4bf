"""The exceptions that end a command; their text is what the person reads, so it says what to do.

CommandError            the world isn't as it has to be (no stack, no credentials, no network): exit code 1
└── UsageError          the command asks for something that can't be done: exit code 2
"""

from __future__ import annotations


class CommandError(Exception):
    """The command can't go on; the message says why and what to do about it."""

    exit_code = 1


class UsageError(CommandError):
    """The command was asked for something impossible; nothing has been done."""

    exit_code = 2
