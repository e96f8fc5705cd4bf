"""Opens AWS for a command: which account, region and endpoint, and with how much patience."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

LOCAL_ENDPOINT = "http://localhost:4566"
"""Where the local stack answers unless it was told otherwise (`make up`)."""

FUNCTION_SECONDS = 150
"""How long to wait for a function's answer: longer than any of them may run."""


@dataclass(frozen=True)
class Connection:
    """The answers to "which AWS": each None means what the AWS configuration of this machine says."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    pool_size: int = 10


class Aws:
    """The clients of one command, each made when it is first used.

    Making one raises botocore's ProfileNotFound, NoRegionError or ValueError (an endpoint that is no URL).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.endpoint = connection.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or None

    @cached_property
    def s3(self) -> S3Client:
        return self._session.client("s3", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self.another_dynamodb()

    def another_dynamodb(self) -> DynamoDBClient:
        """A client of one's own, for whoever changes how it works."""
        return self._session.client("dynamodb", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return self._session.client("cloudformation", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def stepfunctions(self) -> SFNClient:
        return self._session.client("stepfunctions", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def sns(self) -> SNSClient:
        return self._session.client("sns", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def ssm(self) -> Any:
        return self._session.client("ssm", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def sts(self) -> Any:
        return self._session.client("sts", endpoint_url=self._connection.endpoint_url, config=self._config)

    @cached_property
    def functions(self) -> Any:
        """Lambda. A call is made once: what a function does isn't done a second time because its answer is late."""
        once = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=FUNCTION_SECONDS)
        return self._session.client("lambda", endpoint_url=self._connection.endpoint_url, config=self._config.merge(once))

    @cached_property
    def _session(self) -> boto3.Session:
        core = botocore.session.Session(profile=self._connection.profile)
        if self._connection.region:
            core.set_config_variable("region", self._connection.region)
        if is_this_machine(self.endpoint):
            _accept_a_machine_without_aws(core)
        return boto3.Session(botocore_session=core)

    @property
    def _config(self) -> Config:
        return Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=self._connection.pool_size,
            user_agent_extra="imagewatch",
        )


def is_this_machine(endpoint: str | None) -> bool:
    """True for an endpoint on the loopback interface, which can only be a stand-in for AWS."""
    host = urlsplit(endpoint).hostname if endpoint else None
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _accept_a_machine_without_aws(core: botocore.session.Session) -> None:
    """Lets somebody with no AWS account use the local stack: it takes any credentials, but there must be some."""
    resolver = core.get_component("credential_provider")
    for remote in ("container-role", "iam-role"):  # asking the instance metadata takes seconds where there is none
        resolver.remove(remote)
    if core.get_config_variable("region") is None:
        core.set_config_variable("region", "us-east-1")
    if core.get_config_variable("profile") is None and resolver.load_credentials() is None:
        core.set_credentials("local", "local")
