"""boto3 clients of the account's owner, who may do everything at the local endpoint."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config


def owner_clients(endpoint: str, region: str) -> Callable[[str], Any]:
    """A function from a service's name to its client."""
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=region)  # noqa: S106
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=30)

    @functools.cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)

    return client
