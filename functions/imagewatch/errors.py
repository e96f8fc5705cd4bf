"""The vocabulary of failure. These class names stand verbatim in the workflow's ErrorEquals.

ImagewatchError
├── a retry changes nothing
│   ├── ImageRejected        the image is at fault; its message is the reason that people read
│   ├── ImageGone            the object was removed or replaced before it could be read
│   ├── AnalysisIncomplete   labels could not be had, so there is nothing worth storing
│   ├── UnreadableMessage    a queue message that is not an S3 event; it belongs in the dead-letter queue
│   ├── InvalidRule          a watchlist rule that can't be evaluated; the message names the field
│   ├── InvalidQuery         a search query that can't be read; it names the character
│   ├── InvalidRun           a run over history that can't be done as it was asked for; the message says what to change
│   ├── UnreadableRecord     an image's record that a run over history can't judge; it is skipped and counted
│   ├── ChannelRefused       a channel will not take this message, however often it is offered
│   └── ChannelGone          a channel says that it no longer exists; it is switched off and people are told
└── a retry can heal
    ├── Throttled            a service asked us to slow down: wait long, with full jitter
    └── Unavailable          a service failed or could not be reached: wait briefly
"""

_SAID = 5  # mistakes of a rule, in a message that logs and executions carry


class ImagewatchError(Exception):
    """Base of every error that Imagewatch raises on purpose."""


class ImageRejected(ImagewatchError):
    """The image can't be analysed, whoever tries and however often."""


class ImageGone(ImagewatchError):
    """The object version that the event announced is no longer there."""


class AnalysisIncomplete(ImagewatchError):
    """A branch that the analysis can't do without has failed for good."""


class UnreadableMessage(ImagewatchError):
    """A message on the intake queue is neither an S3 event nor S3's test event."""


class InvalidRule(ImagewatchError):
    """A rule in the watchlist has missing or impossible fields: a sentence for each of its `problems`."""

    def __init__(self, *problems: str) -> None:
        more = [f"And {len(problems) - _SAID} more mistakes."] if len(problems) > _SAID else []
        super().__init__(" ".join([*problems[:_SAID], *more]))
        self.problems = problems


class InvalidRun(ImagewatchError):
    """What a run over history was asked to do makes no sense, or names a rule that can't be applied."""


class UnreadableRecord(ImagewatchError):
    """What is stored of an image can't be held against a rule; the text says why."""


class TooManyMatches(ImagewatchError):
    """The matched rules of one image don't fit into the workflow's state."""


class ChannelRefused(ImagewatchError):
    """A channel can't be used for this message; the text says why and what to do."""


class ChannelGone(ImagewatchError):
    """A channel's address no longer exists; the text says which."""


class Throttled(ImagewatchError):
    """A service refused a call because too many were made."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds for which the service asked to be left alone; 0 when it named none."""


class Unavailable(ImagewatchError):
    """AWS failed to serve a call, or could not be reached."""


class InvalidQuery(ImagewatchError):
    """A search query has a mistake at one of its characters."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position
        """Characters before the mistake."""

    def pointing_into(self, query: str) -> str:
        """Three lines: the query (or the part around the mistake), a caret below the mistake, and the message."""
        start = max(0, self.position - 60)
        shown = query[start : start + 120].replace("\n", " ").replace("\t", " ")
        return f"{shown}\n{' ' * (self.position - start)}^\n{self}"
