"""Starts Imagewatch as `make up` does, or the emulator with another template, on free ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
READY_SECONDS = 180


@dataclass(frozen=True)
class RunningStack:
    """A running stack. Its log and mailbox are in the folder `state`."""

    endpoint: str
    state: Path

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(state: Path, *arguments: str) -> Iterator[RunningStack]:
    """Imagewatch with further arguments, in a separate process, until the block ends."""
    web_port = ("--web-port", str(free_port()))
    watchlist = ("--parameter", "WatchlistMaxAgeSeconds=0")  # a rule that a test writes applies to the next image
    digests = ("--parameter", "DigestMinutes=60")  # no digest is sent during a test
    alarms = ("--parameter", "OperationsEmail=")  # an alarm's e-mail doesn't arrive between the alerts that a test counts
    sign_up = ("--parameter", "SignUpDomains=example.com,example.org")
    eyes = ("--eyes", "small")  # the same answers with and without installed models; a test can pass --eyes full
    with started_module("local", state, *web_port, *watchlist, *digests, *alarms, *sign_up, *eyes, *arguments) as running:
        yield running


@contextmanager
def started_module(module: str, state: Path, *arguments: str) -> Iterator[RunningStack]:
    """`python -m module` with these arguments, a free port and this state folder, until the block ends."""
    port = str(free_port())
    running = RunningStack(f"http://localhost:{port}", state)
    command = [sys.executable, "-m", module, "--port", port, "--state", str(state), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (state / "output.txt").open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        wait_until_ready(running, process, state / "output.txt")
        yield running
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


def wait_until_ready(stack: RunningStack, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        assert process.poll() is None, f"the stack stopped: {output.read_text()}"
        try:
            with urlopen(f"{stack.endpoint}/_local/health") as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError):
            time.sleep(0.1)
        assert time.monotonic() < deadline, f"the stack was not ready in time: {output.read_text()}"
