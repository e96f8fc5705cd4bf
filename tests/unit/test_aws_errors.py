"""What AWS's errors, and the lack of any answer, mean to the workflow."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from imagewatch.aws.clients import translated
from imagewatch.errors import Throttled, Unavailable

URL = "https://dynamodb.us-east-1.amazonaws.com"


def refusal(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "UpdateItem")


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        SSLError(endpoint_url=URL, error="handshake"),
        refusal("InternalServerError", 500),
        refusal("SomethingNew", 503),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_that_fails_or_cannot_be_reached_is_tried_again(error: Exception) -> None:
    with pytest.raises(Unavailable), translated():
        raise error


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException", "SlowDown", "Throttled"])
def test_a_throttle_is_a_throttle_whatever_the_service_calls_it(code: str) -> None:
    with pytest.raises(Throttled), translated():
        raise refusal(code, 400)


def test_a_refusal_stays_what_it_is() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"), translated():
        raise refusal("AccessDeniedException", 400)


def test_what_botocore_says_of_our_own_mistakes_is_not_tried_again() -> None:
    with pytest.raises(BotoCoreError), translated():
        raise BotoCoreError
