"""Secrets of channels: SecureStrings in the SSM Parameter Store, kept for minutes so that a storm doesn't read each anew."""

from __future__ import annotations

import time

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, error_message, translated
from imagewatch.errors import ChannelRefused

MAX_AGE_SECONDS = 300

_known: dict[str, tuple[str, float, str]] = {}


def read(name: str, changed: str, *, fresh: bool = False) -> str:
    """The parameter's value, at most MAX_AGE_SECONDS old (`fresh`: read now). Raises ChannelRefused when it can't be had.

    `changed` is when its owner last changed it, as the channel's record says: a value from before that isn't used any more.
    """
    kept = _known.get(name)
    if kept and not fresh and kept[0] == changed and time.monotonic() - kept[1] < MAX_AGE_SECONDS:
        return kept[2]
    try:
        with translated():
            value = str(client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        raise ChannelRefused(_refusal(name, error)) from error
    _known[name] = (changed, time.monotonic(), value)
    return value


def forget_all() -> None:
    """Empties the cache."""
    _known.clear()


def _refusal(name: str, error: ClientError) -> str:
    if error_code(error) == "ParameterNotFound":
        return f"The secret {name} does not exist. Store it with `imagewatch channels add`."
    return f"The secret {name} can't be read: {error_code(error)}. {error_message(error)}".rstrip()
