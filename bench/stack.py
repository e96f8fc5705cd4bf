"""Starts a local stack on free ports for a measurement, and stops it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

REPOSITORY = Path(__file__).resolve().parents[1]
READY_SECONDS = 60


@dataclass
class Stack:
    """A running stack. It listens at `endpoint`, keeps its files in `state` and took `ready_seconds` to start."""

    process: subprocess.Popen[bytes]
    endpoint: str
    state: Path
    ready_seconds: float
    outputs: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")  # noqa: S106
            self._clients[service] = session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]
        return self._clients[service]

    def executions(self) -> dict[str, int]:
        """The stack's counts of executions: {started, running, ...}."""
        found: dict[str, int] = (health(self.endpoint) or {}).get("components", {}).get("executions", {})
        return found


@contextmanager
def started(root: Path, module: str = "local", recorded: Path | None = None) -> Iterator[Stack]:
    """Runs a stack for the block. `module` is the program to run. Raises RuntimeError when the stack does not start."""
    begun = time.monotonic()
    state = root / "state"
    state.mkdir()
    command = [sys.executable, "-m", module, "--port", "0", "--web-port", "0", "--state", str(state)]
    # Each process reads the watchlist about twice a minute, so the counts would depend on when an image arrives.
    command += ["--parameter", "WatchlistMaxAgeSeconds=900"]
    command += ["--recorded", str(recorded)] if recorded else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (root / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        endpoint = _ready(process, state, begun, root / "output.txt")
        stack = Stack(process, endpoint, state, time.monotonic() - begun)
        described = stack.client("cloudformation").describe_stacks(StackName="imagewatch")["Stacks"][0]
        stack.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        yield stack
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def health(endpoint: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{endpoint}/_local/health", timeout=5) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def _ready(process: subprocess.Popen[bytes], state: Path, begun: float, output: Path) -> str:
    endpoint = ""
    while not endpoint or (health(endpoint) or {}).get("status") != "ok":
        if process.poll() is not None or time.monotonic() - begun > READY_SECONDS:
            raise RuntimeError(f"The local stack did not start: {output.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(0.05)
        written = state / "endpoint"
        endpoint = written.read_text(encoding="utf-8") if written.exists() else ""
    return endpoint
