"""The errors that Imagewatch raises on purpose. The workflow's Retry and Catch blocks name these classes.

ImagewatchError
├── PermanentError              a retry changes nothing
│   ├── ImageRejected           the image can't be analysed; the message is the reason that users read
│   ├── ImageGone               the object version was removed or replaced before it could be read
│   ├── AnalysisIncomplete      the labels could not be detected, so there is nothing to store
│   ├── UnreadableMessage       a message on the intake queue is not an S3 event notification
│   ├── InvalidRule             a watchlist rule has missing or impossible fields; the message names them
│   ├── InvalidQuery            a search query can't be read; the error names the character
│   │   └── InvalidCursor       a cursor was changed, or belongs to another search
│   ├── InvalidRun              a backfill can't run as requested; the message says what to change
│   ├── UnreadableRecord        a stored image record can't be evaluated; the backfill skips and counts it
│   ├── ChannelRefused          a channel refuses the message; the text says why and what to do
│   ├── ChannelGone             a channel's address no longer exists; the channel is disabled
│   └── SignUpRefused           an address may not sign up; Cognito shows the message to the user
└── TransientError              a retry can succeed
    ├── Throttled               a service refused a call because there were too many: wait long, with full jitter
    └── Unavailable             a service failed or could not be reached: wait briefly
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_LISTED_PROBLEMS = 5  # problems of a rule that the message lists; logs and executions carry it


@dataclass(frozen=True)
class Problem:
    """One mistake in a rule, as data: programs use the path, people read the text."""

    path: tuple[str | int, ...]
    """The fields and list positions (from 0) that lead to the value: ("AnyOf", 1, "MinConfidence"). Empty for the rule itself."""
    text: str
    """A sentence that begins with the field's name: "MinConfidence must be a number from 0 to 100, not '85'."."""
    subject: str = ""
    """What the field belongs to, as people name it: "Rule gate: AnyOf, entry 2 (car)". Empty where the text says it."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}" if self.subject else self.text


def _visible(character: str) -> str:
    return character if character.isprintable() else " "


def _columns(character: str) -> int:
    """The columns that a character takes at a terminal. Source: Unicode Standard Annex 11, "East Asian Width"."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


class ImagewatchError(Exception):
    """Base of every error that Imagewatch raises on purpose."""


class PermanentError(ImagewatchError):
    """Base of the errors that come back with every retry."""


class TransientError(ImagewatchError):
    """Base of the errors that a retry can resolve."""


class ImageRejected(PermanentError):
    """The image can't be analysed. The message says why and what to do."""


class ImageGone(PermanentError):
    """The object version that the event announced no longer exists."""


class AnalysisIncomplete(PermanentError):
    """A branch that the analysis needs has failed permanently."""


class UnreadableMessage(PermanentError):
    """A message on the intake queue is neither an S3 event notification nor S3's test event."""


class InvalidRule(PermanentError):
    """A watchlist rule has missing or impossible fields: `problems` has every mistake, the message the first five."""

    def __init__(self, *problems: Problem) -> None:
        hidden = len(problems) - _LISTED_PROBLEMS
        more = [f"And {hidden} more mistakes."] if hidden > 0 else []
        super().__init__(" ".join([*map(str, problems[:_LISTED_PROBLEMS]), *more]))
        self.problems = problems


class InvalidQuery(PermanentError):
    """A search query has a mistake at one of its characters."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position
        """Characters before the mistake."""

    def pointing_into(self, query: str) -> str:
        """Three lines: the query (or the part around the mistake), a caret below the mistake, and the message."""
        start = max(0, self.position - 60)
        shown = "".join(map(_visible, query[start : start + 120]))
        columns = sum(map(_columns, query[start : self.position]))
        return f"{shown}\n{' ' * columns}^\n{self}"


class InvalidCursor(InvalidQuery):
    """A cursor was changed, or belongs to another query, viewer or confidence."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 0)


class InvalidRun(PermanentError):
    """A backfill was requested with contradictory fields, or with a rule that can't be applied."""


class UnreadableRecord(PermanentError):
    """A stored image record can't be evaluated against a rule; the text says why."""


class ChannelRefused(PermanentError):
    """A channel can't deliver this message; the text says why and what to do."""


class ChannelGone(PermanentError):
    """A channel's address no longer exists; the text says which."""


class SignUpRefused(PermanentError):
    """The address may not sign up. Cognito shows the message to the user."""


class Throttled(TransientError):
    """A service refused a call because too many were made."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the service asked to wait; 0 when it named none."""


class Unavailable(TransientError):
    """An AWS service or a channel failed to serve a call, or could not be reached."""
