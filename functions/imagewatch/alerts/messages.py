"""A message to people, whatever channel carries it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from imagewatch.alerts.alert import Alert
from imagewatch.alerts.digest import Digest
from imagewatch.images.version import ImageVersion

ALERT = "alert"
DIGEST = "digest"
NOTICE = "notice"
TEST = "test"
PING = "ping"


class Picture(Protocol):
    """The image with boxes. Both methods return None when it can't be made: an alert is sent without its picture then."""

    def jpeg(self) -> bytes | None: ...

    def url(self) -> str | None: ...


@dataclass(frozen=True)
class Message:
    """One message to people."""

    subject: str
    """One line of at most 99 UTF-16 units: SNS refuses longer ones."""
    body: str
    """Plain text."""
    alerts: Sequence[Alert] = ()
    """The alerts of one image that the message is about, in the order of the rules."""
    digest: Digest | None = None
    image: ImageVersion | None = None
    picture: Callable[[], Picture] | None = None
    """Makes the picture when a channel asks for it."""
    link: str = ""
    """Where people see the image."""
    kind: str = ALERT
    """ALERT, DIGEST, NOTICE (about Imagewatch itself), TEST, or PING (a check of a receiver; people never see it)."""
    feedback: str = ""
    """The end of the body that marks alerts as wrong, which Slack shows in a separate block."""
