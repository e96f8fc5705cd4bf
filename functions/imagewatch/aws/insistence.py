"""The write that says what was sent, tried again on the spot: while it is missing, a retry would send the message once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from imagewatch.aws import clock
from imagewatch.errors import Throttled, Unavailable
from imagewatch.observability import logger

PAUSES = (0.1, 0.3, 0.9)
"""Seconds before each further attempt. All together are short beside the timeouts of the functions that send."""

T = TypeVar("T")


def insist(write: Callable[[], T], give_up: int) -> T:
    """What `write` returns, tried again after each of PAUSES while it is throttled or fails; then its error is raised.

    From `give_up` on (microseconds since the epoch) it is tried once only, so that many messages don't outlast their function.
    """
    for pause in PAUSES:
        try:
            return write()
        except (Throttled, Unavailable) as error:
            if clock.now() >= give_up:
                raise
            logger.warning("What became of a message must be written once more.", reason=str(error))
            clock.pause(pause)
    return write()
