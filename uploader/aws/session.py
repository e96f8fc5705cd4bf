"""Which deployment a command uses, and the boto3 clients that reach it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

DEFAULT_STACK = "imagewatch"

LOCAL_ENDPOINT = "http://localhost:4566"
"""The default address of the local stack (`make up`)."""

FUNCTION_SECONDS = 150
"""How long to wait for a function's answer: longer than the timeout of each of them."""

_CONNECTIONS = 4


@dataclass(frozen=True)
class Deployment:
    """One deployment of Imagewatch: a stack, and where it is. None stands for the AWS configuration of this machine."""

    stack: str = DEFAULT_STACK
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None

    @property
    def options(self) -> str:
        """The options that name this deployment, each with a space before it, for a command that a message suggests."""
        stack = self.stack if self.stack != DEFAULT_STACK else None
        given = {"--stack": stack, "--endpoint-url": self.endpoint_url, "--region": self.region, "--profile": self.profile}
        return "".join(f" {option} {shlex.quote(value)}" for option, value in given.items() if value)

    def aws(self, connections: int = _CONNECTIONS) -> Aws:
        """The clients for this deployment, with at most this many connections each."""
        return Aws(self, connections)


class Aws:
    """The clients of one command, each made when it is first used.

    Making one raises botocore's ProfileNotFound, NoRegionError or ValueError (an endpoint that is no URL).
    """

    def __init__(self, deployment: Deployment, connections: int = _CONNECTIONS) -> None:
        self._deployment, self._connections = deployment, connections
        self.endpoint = deployment.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or None

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def s3_for_links(self) -> S3Client:
        """S3 for presigned URLs: with the newer signature, which every Region accepts."""
        client: S3Client = self._client("s3", Config(signature_version="s3v4"))
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self.new_dynamodb()

    def new_dynamodb(self) -> DynamoDBClient:
        """Another DynamoDB client, for a caller that changes how it parses answers."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def stepfunctions(self) -> SFNClient:
        client: SFNClient = self._client("stepfunctions")
        return client

    @cached_property
    def sns(self) -> SNSClient:
        client: SNSClient = self._client("sns")
        return client

    @cached_property
    def ssm(self) -> Any:
        return self._client("ssm")

    @cached_property
    def sts(self) -> Any:
        return self._client("sts")

    @cached_property
    def functions(self) -> Any:
        """Lambda. It makes each call once: a function must not run again because its answer is late."""
        return self._client("lambda", Config(retries={"total_max_attempts": 1}, read_timeout=FUNCTION_SECONDS))

    def _client(self, service: str, more: Config | None = None) -> Any:
        config = self._config.merge(more) if more else self._config
        # boto3's overloads want the service's name as a literal.
        create: Any = self._session.client
        return create(service, endpoint_url=self._deployment.endpoint_url, config=config)

    @cached_property
    def _session(self) -> boto3.Session:
        if is_loopback(self.endpoint):
            core = _session_for_this_machine(self._deployment.profile)
        elif self.endpoint and not self._deployment.profile:
            core = _session_for_an_endpoint()
        else:
            core = botocore.session.Session(profile=self._deployment.profile)
        if self._deployment.region:
            core.set_config_variable("region", self._deployment.region)
        return boto3.Session(botocore_session=core)

    @property
    def _config(self) -> Config:
        return Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=self._connections,
            user_agent_extra="imagewatch",
            proxies={} if is_loopback(self.endpoint) else None,  # None: HTTP_PROXY and its like decide
        )


def is_loopback(endpoint: str | None) -> bool:
    """Whether an endpoint is on the loopback interface. It can only be a stand-in for AWS there."""
    try:
        host = urlsplit(endpoint).hostname if endpoint else None
    except ValueError:
        return False
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _session_for_this_machine(profile: str | None) -> botocore.session.Session:
    """A session for the local stack, which accepts any credentials.

    It doesn't read AWS_PROFILE and the credential files: a profile that is missing or signed out is no reason to fail here.
    """
    core = botocore.session.Session(profile=profile) if profile else _without_profile()
    if core.get_config_variable("region") is None:
        core.set_config_variable("region", "us-east-1")
    in_environment = os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not profile and not in_environment:
        core.set_credentials("local", "local")
    return core


def _session_for_an_endpoint() -> botocore.session.Session:
    """A session for an endpoint that may be AWS (a VPC endpoint) or a local stack on another machine.

    It uses the configured credentials if they can be loaded, and else placeholders, which a local stack accepts.
    """
    core = botocore.session.Session()
    try:
        credentials = core.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
            return core
    except BotoCoreError:
        pass
    core = _without_profile()
    if core.get_config_variable("region") is None:
        core.set_config_variable("region", "us-east-1")
    core.set_credentials("local", "local")
    return core


def _without_profile() -> botocore.session.Session:
    """A session that ignores the variables AWS_PROFILE and AWS_DEFAULT_PROFILE."""
    return botocore.session.Session(session_vars={"profile": (None, None, None, None)})
