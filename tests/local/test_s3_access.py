"""S3 locally: a private bucket answers no request without credentials, as on AWS."""

from __future__ import annotations

import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from .pipeline import Pipeline
from .running_stack import ROOT

PORTRAIT = ROOT / "samples" / "astronaut-portrait.jpg"
KEY = "uploads/door/private.jpg"


@pytest.fixture
def address(pipeline: Pipeline) -> str:
    """The object's address without a signature."""
    pipeline.stack.client("s3").put_object(Bucket=pipeline.bucket, Key=KEY, Body=PORTRAIT.read_bytes())
    pipeline.ended(KEY)
    return f"{pipeline.stack.endpoint}/{pipeline.bucket}/{KEY}"


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("HEAD", "", None),
        ("DELETE", "", None),
        ("PUT", "", b"another picture"),
        ("PUT", "-new", b"a new picture"),
        ("GET", "?tagging", None),
        ("POST", "?uploads", b""),
    ],
)
def test_a_request_without_credentials_is_refused(
    pipeline: Pipeline, address: str, method: str, suffix: str, body: bytes | None
) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{address}{suffix}", data=body, method=method))
    assert refused.value.code == 403
    stored = pipeline.stack.client("s3").get_object(Bucket=pipeline.bucket, Key=KEY)["Body"].read()
    assert stored == PORTRAIT.read_bytes()


def test_the_bucket_is_not_listed_without_credentials(pipeline: Pipeline, address: str) -> None:
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{pipeline.stack.endpoint}/{pipeline.bucket}?list-type=2")


def test_a_presigned_address_needs_no_other_credentials_until_it_expires(pipeline: Pipeline, address: str) -> None:
    s3 = pipeline.stack.client("s3")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": pipeline.bucket, "Key": KEY}, ExpiresIn=600)
    with urlopen(link) as answer:
        assert answer.read() == PORTRAIT.read_bytes()
    short = s3.generate_presigned_url("get_object", Params={"Bucket": pipeline.bucket, "Key": KEY}, ExpiresIn=1)
    time.sleep(2.1)
    with pytest.raises(HTTPError, match="403"):
        urlopen(short)
