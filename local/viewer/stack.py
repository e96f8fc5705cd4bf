"""Access to the local stack: its outputs, its mailbox, and one boto3 client for each service."""

from __future__ import annotations

import json
import threading
import urllib.error
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local import STACK_NAME
from local.emulator.isolation import open_local

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
                        proxies={},
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

    def page_address(self) -> str:
        """The address of the page that the running stack serves. Raises StackNotReadyError."""
        return str(self._local("health").get("web") or "")

    def mailbox(self) -> list[dict[str, Any]]:
        """The received e-mails, oldest first: {to, subject, body, at}."""
        if not self.endpoint_url:
            return []
        mails: list[dict[str, Any]] = self._local("mailbox")
        return mails

    def _local(self, what: str) -> Any:
        """The answer of the local endpoint itself, at /_local/<what>. Raises StackNotReadyError."""
        address = f"{(self.endpoint_url or '').rstrip('/')}/_local/{what}"
        try:
            with open_local(address, timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = f"{address} answers with status {error.code}."
            raise StackNotReadyError(problem) from error
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise StackNotReadyError(f"{address} doesn't answer.") from error
