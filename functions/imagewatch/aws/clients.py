"""AWS clients, created on first use and cached, and the translation of AWS's errors into Imagewatch's."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from imagewatch.errors import Throttled, Unavailable

__all__ = ["ClientError", "client", "error_code", "error_message", "refused_item", "translated"]

# Two attempts: the workflow's Retry waits longer, and two layers of retries multiply. Both attempts together take less time than
# any function's timeout.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=9)
_PARTICULAR = {
    # A message whose answer was lost may have been sent. The delivery decides whether to send it again.
    "sns": Config(retries={"mode": "standard", "total_max_attempts": 1}),
    # A function that was invoked may have run, whatever became of its answer.
    "lambda": Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=24),
}
# Without this, links are signed with the older signature and for S3's global host. That host answers for buckets of other Regions
# with a redirect that doesn't match the signature, or not at all.
_LINKS = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})

_THROTTLES = {
    "BandwidthLimitExceeded",
    "KMSThrottlingException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",  # SNS
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_FAULTS = {"InternalError", "InternalFailure", "InternalServerError", "RequestTimeout", "ServiceUnavailable"}


@functools.cache
def client(service: str, *, for_links: bool = False) -> Any:
    """The client of a service in this process. S3 has a second one, `for_links`, that signs presigned URLs."""
    particular = _LINKS if for_links else _PARTICULAR.get(service)
    config = _CONFIG.merge(particular) if particular else _CONFIG
    return boto3.client(service, config=config)  # type: ignore[call-overload]


@contextmanager
def translated() -> Iterator[None]:
    """Turns AWS's throttling and server errors into Throttled and Unavailable. Other errors pass unchanged."""
    try:
        yield
    except ClientError as error:
        code, status = error_code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _THROTTLES:
            raise Throttled(str(error)) from error
        if code in _FAULTS or status >= 500:
            raise Unavailable(str(error)) from error
        raise
    except (HTTPClientError, NoConnection) as error:  # connection broken, read timeout, no connection
        raise Unavailable(str(error)) from error


def error_code(error: ClientError) -> str:
    """AWS's name for the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """AWS's message of the error."""
    return str(error.response.get("Error", {}).get("Message", ""))


def refused_item(error: ClientError) -> dict[str, Any]:
    """The item at the time DynamoDB refused a condition (from ReturnValuesOnConditionCheckFailure); {} for none."""
    response: dict[str, Any] = {**error.response}
    item: dict[str, Any] = response.get("Item", {})
    return item
