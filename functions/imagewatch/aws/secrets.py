"""Secrets of channels: SecureStrings in the SSM Parameter Store, cached for minutes.

Powertools' parameters are imported with this module, and this module only by the channels that have a secret.
"""

from __future__ import annotations

import functools

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from imagewatch.aws.clients import ClientError, client, error_code, error_message, translated
from imagewatch.errors import ChannelRefused

MAX_AGE_SECONDS = 300

_changes: dict[str, str] = {}  # parameter name -> `changed` of the value that is cached


def read(name: str, changed: str, *, fresh: bool = False) -> str:
    """The parameter's value, at most MAX_AGE_SECONDS old (`fresh`: read now). Raises ChannelRefused when it can't be read.

    `changed` is when its owner last changed it, as the channel's record says: a value that was cached before is not used.
    """
    force = fresh or _changes.get(name) != changed
    try:
        with translated():
            value = _fetch(name, force)
    except ClientError as error:
        raise ChannelRefused(_refusal(name, error)) from error
    _changes[name] = changed
    return value


def clear_cache() -> None:
    """The next `read` asks the Parameter Store."""
    _provider.cache_clear()
    _changes.clear()


def _fetch(name: str, force: bool) -> str:
    try:
        return str(_provider().get(name, max_age=MAX_AGE_SECONDS, decrypt=True, force_fetch=force))
    except GetParameterError as error:
        # Powertools raises it while it handles the client's error, whose code says what to do.
        raise error.__context__ or error from None


@functools.cache
def _provider() -> SSMProvider:
    return SSMProvider(boto3_client=client("ssm"))


def _refusal(name: str, error: ClientError) -> str:
    if error_code(error) == "ParameterNotFound":
        return f"The secret {name} does not exist. Store it with `imagewatch channels add`."
    return f"The secret {name} can't be read: {error_code(error)}. {error_message(error)}".rstrip()
