"""AWS clients, made on first use and kept, and the translation of AWS's errors into our vocabulary."""

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

# Few attempts in here: the workflow's Retry does the waiting, and two layers of retries would multiply. Both of them together
# take less than any function may.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=9)
_PARTICULAR = {
    # A message whose answer didn't come may have gone out, so whether it is sent again is decided where that is counted.
    "sns": Config(retries={"mode": "standard", "total_max_attempts": 1}),
}
# Links would be signed in the older way otherwise, and for S3's global host, which answers for buckets of other Regions with a
# redirect that the signature doesn't fit, or not at all.
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
    "Throttled",  # what SNS calls it
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_FAULTS = {"InternalError", "InternalFailure", "InternalServerError", "RequestTimeout", "ServiceUnavailable"}


@functools.cache
def client(service: str, *, for_links: bool = False) -> Any:
    """The one client of a service in this process; S3 has another `for_links`, which signs what others will follow."""
    particular = _LINKS if for_links else _PARTICULAR.get(service)
    config = _CONFIG.merge(particular) if particular else _CONFIG
    return boto3.client(service, config=config)  # type: ignore[call-overload]


@contextmanager
def translated() -> Iterator[None]:
    """Turns AWS's throttles and faults into Throttled and Unavailable; every other error passes as it is."""
    try:
        yield
    except ClientError as error:
        code, status = error_code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _THROTTLES:
            raise Throttled(str(error)) from error
        if code in _FAULTS or status >= 500:
            raise Unavailable(str(error)) from error
        raise
    except (HTTPClientError, NoConnection) as error:  # broken off or silent for too long; never made at all
        raise Unavailable(str(error)) from error


def error_code(error: ClientError) -> str:
    """AWS's name for the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """AWS's sentence about the error."""
    return str(error.response.get("Error", {}).get("Message", ""))


def refused_item(error: ClientError) -> dict[str, Any]:
    """The item as it stood when DynamoDB refused a condition (asked for by ReturnValuesOnConditionCheckFailure); {} for none."""
    response: dict[str, Any] = {**error.response}
    item: dict[str, Any] = response.get("Item", {})
    return item
