"""A channel as it is recorded, and the message that every kind of channel carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from imagewatch.alerts.alert import Alert
    from imagewatch.alerts.digest import Digest
    from imagewatch.images.version import ImageVersion

EMAIL = "email"
"""The id of the channel that exists without a record, and its kind."""

OK = "ok"
UNCHECKED = "unchecked"
"""The status of a channel until its first check or test after it was added or enabled."""
UNCONFIRMED = "unconfirmed"
DISABLED = "disabled"
FAILING = "failing"

# The kinds of messages.
ALERT = "alert"
DIGEST = "digest"
NOTICE = "notice"
TEST = "test"
PING = "ping"


@dataclass(frozen=True)
class ChannelRecord:
    """A channel in the ChannelsTable. Its rate limiter keeps NextSlot in the same item."""

    channel_id: str
    kind: str = ""
    enabled: bool = True
    """False when its owner has disabled it."""
    status: str = OK
    status_reason: str = ""
    url: str = ""
    secret_parameter: str = ""
    """The name of the SSM parameter that holds the webhook's address (Slack) or key."""
    updated_at: str | None = None
    """When its owner last changed it: ISO 8601."""
    paused_until: float = 0.0
    """Seconds since the epoch."""
    report_pending: bool = False
    """True from the moment at which an answer disabled the channel until that is reported."""
    name: str = ""
    """What its owner calls it."""
    checked_at: str | None = None
    """When it was last checked, tested or disabled: ISO 8601."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ChannelRecord:
        channel_id = str(item["ChannelId"])
        return cls(
            channel_id,
            str(item.get("Kind", EMAIL if channel_id == EMAIL else "")),
            item.get("Enabled") is not False,
            str(item.get("Status", OK)),
            str(item.get("StatusReason", "")),
            str(item.get("Url", "")),
            str(item.get("SecretParameter", "")),
            item.get("UpdatedAt"),
            _number(item.get("PausedUntil")),
            bool(item.get("ReportPending")),
            str(item.get("Name", channel_id)),
            item.get("CheckedAt"),
        )

    def address_item(self) -> dict[str, str | None]:
        """The attributes that say where its messages go. None stands for an attribute that is absent."""
        return {"Url": self.url or None, "SecretParameter": self.secret_parameter or None, "UpdatedAt": self.updated_at}


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


def _number(value: Any) -> float:
    """0 for anything else: a damaged record must not stop other channels."""
    return float(value) if isinstance(value, int | float) else 0.0
