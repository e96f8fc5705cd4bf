"""Presigned links that are the same for an hour, so that browsers find the file in their cache.

A link depends on the function's credentials, so that two environments of a function make different links.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from imagewatch import timestamps
from imagewatch.aws.clients import client

HOUR = 3600
LINK_SECONDS = 2 * HOUR
"""From the beginning of the hour, so that a link works for an hour at least. It expires with the function's credentials at the
latest."""


def hourly_link(bucket: str, key: str, more: Mapping[str, str] | None = None) -> str:
    """A presigned URL to read an object. `more` has further parameters of GetObject, such as VersionId.

    The signature's time is the beginning of the hour. Source: S3 API reference, "Using Query Parameters".
    """
    s3 = client("s3", for_links=True)
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, **(more or {})})
    place, _, query = signed.partition("?")
    kept = [part for part in query.split("&") if not part.startswith("X-Amz-")]
    request = AWSRequest("GET", f"{place}?{'&'.join(kept)}" if kept else place)
    _HourlySignature(_credentials(), "s3", s3.meta.region_name, LINK_SECONDS).add_auth(request)
    return str(request.url)


class _HourlySignature(S3SigV4QueryAuth):
    """Signs as of the beginning of the hour."""

    def _modify_request_before_signing(self, request: Any) -> None:
        second = timestamps.milliseconds() // 1000
        request.context["timestamp"] = datetime.fromtimestamp(second - second % HOUR, UTC).strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)  # type: ignore[misc]


@functools.cache
def _session() -> Any:
    return boto3.Session()


def _credentials() -> Any:
    return _session().get_credentials().get_frozen_credentials()


def forget_session() -> None:
    """Makes the next link read the credentials again."""
    _session.cache_clear()
