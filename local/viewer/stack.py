"""Access to the local stack: its outputs, its mailbox, and one boto3 client for each service."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local import STACK_NAME

ANSWER_SECONDS = 10


class StackNotReadyError(Exception):
    """The stack isn't deployed, or the endpoint doesn't answer. The message is a sentence."""


class Stack:
    """The stack at `endpoint_url`. With None, boto3's default endpoints are used."""

    def __init__(self, endpoint_url: str | None, region: str = "us-east-1") -> None:
        self.endpoint_url = endpoint_url
        self._session: Any = boto3.session.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 (the local stack takes any)
            region_name=region,
        )
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The client of a service. Threads share it: using a client is thread-safe, creating one isn't."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,
                    endpoint_url=self.endpoint_url,
                    config=Config(
                        connect_timeout=3,
                        read_timeout=ANSWER_SECONDS,
                        retries={"total_max_attempts": 2},
                        s3={"addressing_style": "path"} if self.endpoint_url else {},
                    ),
                )
            return self._clients[service]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name. They are cached when they have been read."""
        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
        except ClientError as error:
            raise StackNotReadyError(f"The stack “{STACK_NAME}” isn't deployed yet.") from error
        found = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
        if not found:
            raise StackNotReadyError(f"The stack “{STACK_NAME}” is still being deployed.")
        return found

    def mailbox(self) -> list[dict[str, Any]]:
        """The received e-mails, oldest first: {to, subject, body, at}."""
        if not self.endpoint_url:
            return []
        address = self.endpoint_url.rstrip("/") + "/_local/mailbox"
        try:
            with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 (our own endpoint)
                mails: list[dict[str, Any]] = json.load(answer)
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise StackNotReadyError(f"The mailbox at {address} doesn't answer.") from error
        return mails
