"""What AWS's errors, and the lack of any answer, mean to the workflow."""

from __future__ import annotations

from collections.abc import Iterator
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

from imagewatch.aws.clients import client, translated
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


def test_botocores_errors_about_our_parameters_are_not_retried() -> None:
    with pytest.raises(BotoCoreError), translated():
        raise BotoCoreError


@pytest.fixture
def in_milan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-south-1",
    }.items():
        monkeypatch.setenv(name, value)
    client.cache_clear()
    yield
    client.cache_clear()


@pytest.mark.usefixtures("in_milan")
def test_a_link_leads_to_the_host_of_its_bucket_in_its_own_region() -> None:
    """S3's global host doesn't serve newer Regions, and redirects for others, where the signature fits no more."""
    link = client("s3", for_links=True).generate_presigned_url("get_object", Params={"Bucket": "a-bucket", "Key": "a/b.jpg"})
    assert link.startswith("https://a-bucket.s3.eu-south-1.amazonaws.com/a/b.jpg?")
    assert "X-Amz-Signature=" in link


@pytest.mark.usefixtures("in_milan")
@pytest.mark.parametrize("service", ["s3", "dynamodb", "rekognition", "sns", "stepfunctions"])
def test_all_attempts_of_one_call_fit_into_the_shortest_function(service: str) -> None:
    config = client(service).meta.config
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) < 30
    assert (attempts == 1) is (service == "sns")  # whose message may have gone out though no answer came
