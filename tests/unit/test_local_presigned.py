"""Presigned addresses in the local S3 expire as on AWS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from local.emulator.s3.presigned import refusal


def query(seconds: int, version: str) -> str:
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(signature_version=version),
    )
    return urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}, ExpiresIn=seconds)).query


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("seconds", [60, 3600, 604_800])
def test_an_address_is_answered_until_it_expires(version: str, seconds: int) -> None:
    signed, asked = query(seconds, version), datetime.now(UTC)
    assert refusal(signed, asked) is None
    assert refusal(signed, asked + timedelta(seconds=seconds - 5)) is None
    assert refusal(signed, asked + timedelta(seconds=seconds + 1)) == ("AccessDenied", "Request has expired", 403)


@pytest.mark.parametrize("seconds", [0, -1, 604_801, 10**12])
def test_a_duration_that_s3_does_not_accept_is_refused(seconds: int) -> None:
    signed = query(60, "s3v4").replace("X-Amz-Expires=60", f"X-Amz-Expires={seconds}")
    code, message, status = refusal(signed, datetime.now(UTC)) or ("", "", 0)
    assert (code, status) == ("AuthorizationQueryParametersError", 400)
    assert "604800" in message


@pytest.mark.parametrize(
    "damaged",
    [
        "X-Amz-Credential=a%2Fb%2Fc",
        "X-Amz-Credential=a&X-Amz-Date=yesterday&X-Amz-Expires=60",
        "X-Amz-Credential=a&X-Amz-Date=20260101T000000Z&X-Amz-Expires=soon",
        "AWSAccessKeyId=local",
        "AWSAccessKeyId=local&Expires=99999999999999999999",
    ],
)
def test_a_malformed_query_is_refused(damaged: str) -> None:
    assert (refusal(damaged, datetime.now(UTC)) or ("", "", 0))[::2] == ("AuthorizationQueryParametersError", 400)


@pytest.mark.parametrize("other", ["", "list-type=2&prefix=uploads%2F", "versionId=abc"])
def test_other_requests_are_not_concerned(other: str) -> None:
    assert refusal(other, datetime.now(UTC)) is None
