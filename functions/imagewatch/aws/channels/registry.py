"""Finds a channel by its id and sends through it; what a channel says about itself is recorded on the way."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.alerts.channel_health import DISABLED
from imagewatch.alerts.messages import Message
from imagewatch.aws.tables import channels as channels_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled
from imagewatch.observability import count, logger
from imagewatch.timestamps import iso_utc

EMAIL = "email"

_NEEDED_BY = {"email": (), "slack": ("SecretParameter",), "webhook": ("Url", "SecretParameter")}
_ADDRESS = ("Url", "SecretParameter", "UpdatedAt")


@dataclass(frozen=True)
class Channel:
    """One way to reach people, as its record says."""

    channel_id: str
    record: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.record["Kind"])

    def send(self, message: Message) -> str:
        """Sends once; returns the channel's own word for it (SNS: the message id).

        Raises Throttled or Unavailable (a retry can heal), ChannelRefused (this message never gets through) or ChannelGone (the
        channel has been switched off).
        """
        remaining = float(self.record.get("PausedUntil", 0)) - time.time()
        if remaining > 0:
            seconds = math.ceil(remaining)
            pause = f"{seconds} more {'second' if seconds == 1 else 'seconds'}"
            raise Throttled(f"The channel {self.channel_id} asked for a pause of {pause}.", remaining)
        return str(self._through(lambda: self._module.send(self.record, message)))

    def check(self) -> tuple[str, str]:
        """(status, reason) without telling anybody anything; raises as `send`."""
        status, reason = self._through(lambda: self._module.check(self.record))
        return str(status), str(reason)

    @property
    def _module(self) -> ModuleType:
        # When first used: most alerts are e-mails, and what the others import is a cold start's.
        return importlib.import_module(f"imagewatch.aws.channels.{self.kind}")

    def _through(self, act: Any) -> Any:
        try:
            return act()
        except ChannelGone as gone:
            self._switch_off(str(gone))
            raise
        except Throttled as asked:
            if asked.retry_after:
                channels_table.hold(self.channel_id, time.time() + asked.retry_after)
            raise
        except ClientError as refused:
            raise ChannelRefused(str(refused)) from refused

    def _switch_off(self, reason: str) -> None:
        address = {name: self.record.get(name) for name in _ADDRESS}
        if channels_table.switch_off(self.channel_id, address, reason, iso_utc(datetime.now(UTC))):
            logger.error("A channel is gone and was switched off.", channel=self.channel_id, reason=reason)
            count("ChannelsDead")


def load(channel_id: str) -> Channel:
    """The channel that rules name so. Raises ChannelRefused, saying what to do, when there is none or it is switched off."""
    channel = known(channel_id, channels_table.read(channel_id))
    if channel.record.get("Enabled") is False:
        raise ChannelRefused(f"The channel {channel_id} is switched off. Switch it on with `imagewatch channels enable`.")
    if channel.record.get("Status") == DISABLED:
        raise ChannelRefused(f"The channel {channel_id} was switched off: {channel.record.get('StatusReason', '')}")
    return channel


def known(channel_id: str, record: Mapping[str, Any] | None) -> Channel:
    """The channel of a record, on or off; "email" is one without."""
    if channel_id == EMAIL:
        return Channel(EMAIL, {"ChannelId": EMAIL, "Kind": "email", **(record or {})})
    if not record or "Kind" not in record:
        raise ChannelRefused(f"There is no channel {channel_id}. `imagewatch channels list` shows those that there are.")
    if record["Kind"] not in _NEEDED_BY:
        raise ChannelRefused(f"The channel {channel_id} is of an unknown kind: {record['Kind']}.")
    if missing := [name for name in _NEEDED_BY[record["Kind"]] if not record.get(name)]:
        raise ChannelRefused(f"The channel {channel_id} has no {' and no '.join(missing)}. Add it again.")
    return Channel(channel_id, record)
