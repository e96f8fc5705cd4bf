"""The channels that carry messages: `load(channel_id).send(message)`, whatever kind the channel is.

What an answer says about a channel is recorded at once. Each kind is a module of this folder.
"""

from __future__ import annotations

import importlib
import math
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType

from imagewatch import timestamps
from imagewatch.alerts.channel import DISABLED, EMAIL, ChannelRecord, Message
from imagewatch.aws.clients import ClientError
from imagewatch.aws.tables import channels as channels_table
from imagewatch.errors import ChannelGone, ChannelRefused, ImagewatchError, Throttled
from imagewatch.observability import count, logger

_REQUIRED = {"email": {}, "slack": {"SecretParameter": "secret_parameter"}}
_REQUIRED["webhook"] = {"Url": "url", **_REQUIRED["slack"]}


@dataclass(frozen=True)
class Channel:
    """One way to reach people."""

    record: ChannelRecord

    @property
    def channel_id(self) -> str:
        return self.record.channel_id

    @property
    def kind(self) -> str:
        return self.record.kind

    def send(self, message: Message) -> str:
        """Sends once; returns the channel's own id of the message, or its answer.

        Raises TransientError, ChannelRefused (the channel will never accept this message) or ChannelGone (its address no longer
        exists; it is disabled now).
        """
        remaining = self.record.paused_until - time.time()
        if remaining > 0:
            seconds = math.ceil(remaining)
            pause = f"{seconds} more {'second' if seconds == 1 else 'seconds'}"
            raise Throttled(f"The channel {self.channel_id} asked for a pause of {pause}.", remaining)
        with self._border():
            return str(self._module.send(self.record, message))

    def check(self) -> tuple[str, str]:
        """(status, reason), found without a message that people see. Raises the errors of `send`."""
        with self._border():
            status, reason = self._module.check(self.record)
            return str(status), str(reason)

    @property
    def _module(self) -> ModuleType:
        # Imported when first used: most alerts are e-mails, and the other kinds would lengthen their cold start.
        return importlib.import_module(f"imagewatch.aws.channels.{self.kind}")

    @contextmanager
    def _border(self) -> Iterator[None]:
        """Records what an error says about the channel. An unexpected error is this channel's failure and no other's."""
        try:
            with border(self.channel_id):
                yield
        except ChannelGone as gone:
            self._disable(str(gone))
            raise
        except Throttled as throttled:
            if throttled.retry_after:
                channels_table.pause(self.channel_id, time.time() + throttled.retry_after)
            raise

    def _disable(self, reason: str) -> None:
        if channels_table.disable(self.record, reason, timestamps.iso_now()):
            logger.error("A channel was disabled: its address no longer exists.", channel=self.channel_id, reason=reason)
            count("ChannelsDead")


@contextmanager
def border(channel_id: str) -> Iterator[None]:
    """Turns every error that isn't Imagewatch's own into ChannelRefused.

    It is not retried: the message may have been accepted before the error. Its text is neither logged nor recorded, because it
    can hold the channel's address.
    """
    try:
        yield
    except ImagewatchError:
        raise
    except ClientError as refused:
        raise ChannelRefused(str(refused)) from refused
    except Exception as error:
        kind, place = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
        logger.error("A channel failed unexpectedly.", channel=channel_id, error=kind, place=f"{place.filename}:{place.lineno}")
        raise ChannelRefused(f"The channel {channel_id} failed unexpectedly ({kind}). The log names the place.") from error


def load(channel_id: str) -> Channel:
    """The channel with this id. Raises ChannelRefused when there is none or it is disabled; the reason says what to do."""
    channel = known(channel_id, channels_table.read(channel_id))
    if not channel.record.enabled:
        raise ChannelRefused(f"The channel {channel_id} is disabled. Enable it with `imagewatch channels enable`.")
    if channel.record.status == DISABLED:
        raise ChannelRefused(f"The channel {channel_id} was disabled: {channel.record.status_reason}")
    return channel


def known(channel_id: str, record: ChannelRecord | None) -> Channel:
    """The channel of a record, enabled or not. "email" needs no record."""
    if channel_id == EMAIL:
        return Channel(replace(record or ChannelRecord(EMAIL), kind=EMAIL) if not record or not record.kind else record)
    if not record or not record.kind:
        raise ChannelRefused(f"There is no channel {channel_id}. `imagewatch channels list` shows the channels.")
    if record.kind not in _REQUIRED:
        raise ChannelRefused(f"The channel {channel_id} has an unknown kind: {record.kind}.")
    if missing := [name for name, attribute in _REQUIRED[record.kind].items() if not getattr(record, attribute)]:
        raise ChannelRefused(f"The channel {channel_id} has no {' and no '.join(missing)}. Add it again.")
    return Channel(record)
