"""A full disk: the stack survives, reports the problem, and continues when there is space again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from .running_stack import ROOT, RunningStack, free_port, wait_until_ready
from .small_stack import STACK_NAME, TEMPLATE, SmallStack, eventually

DISK_MEGABYTES = 4
# A user namespace allows mounting a small file system without the rights of the superuser.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


@dataclass(frozen=True)
class SmallDisk:
    """The small stack with its state folder on a disk of 4 MB. `folder` is the disk as this process sees it."""

    stack: SmallStack
    folder: Path

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            for size in (65536, 1):
                try:
                    while ballast.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / "ballast").unlink()

    def health(self) -> dict[str, Any]:
        try:
            with urlopen(f"{self.stack.endpoint}/_local/health") as answer:
                return dict(json.load(answer))
        except HTTPError as error:
            return dict(json.load(error))


def no_namespaces() -> str:
    """The reason why this machine can't make a user namespace, or an empty text."""
    if not shutil.which("unshare"):
        return "the command unshare is missing"
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False).stderr


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if reason := no_namespaces():
        pytest.skip(f"this machine can't make a user namespace: {reason}")
    state, port = tmp_path / "state", str(free_port())
    state.mkdir()
    mount = f'mount -t tmpfs -o size={DISK_MEGABYTES}m tmpfs "$0" && exec "$@"'
    emulator = [sys.executable, "-m", "local.emulator", "--port", port, "--state", str(state), "--template", str(TEMPLATE)]
    command = [*NAMESPACE, "sh", "-c", mount, str(state), *emulator, "--stack-name", STACK_NAME, "--eyes", "small"]
    output = tmp_path / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
    running = RunningStack(f"http://localhost:{port}", state)
    try:
        wait_until_ready(running, process, output)
        yield SmallDisk(SmallStack(running), Path(f"/proc/{process.pid}/root{state}"))
    finally:
        process.terminate()
        process.wait(60)


def test_the_stack_survives_a_full_disk_and_continues_when_there_is_space(disk: SmallDisk) -> None:
    stack = disk.stack
    assert stack.ended(stack.start("say"))["status"] == "SUCCEEDED"
    disk.fill()
    eventually(lambda: disk.health()["status"] == "degraded", "the full disk was not reported")
    assert disk.health()["problems"][0].startswith("the disk with ")

    executions = [stack.start("say") for _ in range(5)]
    assert [stack.ended(execution)["status"] for execution in executions] == ["SUCCEEDED"] * 5
    for _ in range(60):  # more log lines than a pipe holds
        assert stack.invoke("say")[1] is None
    bucket = "small-photos"
    stack.client("s3").create_bucket(Bucket=bucket)
    with pytest.raises(ClientError, match="The emulator's disk is full"):
        stack.client("s3").put_object(Bucket=bucket, Key="photo.bin", Body=os.urandom(100_000))
    assert any("histories and logs can't be written" in problem for problem in disk.health()["problems"])

    disk.free()

    eventually(lambda: disk.health()["status"] == "ok", f"the stack did not recover: {disk.health()['problems']}")
    stack.client("s3").put_object(Bucket=bucket, Key="photo.bin", Body=b"photo")
    histories = [stack.states.get_execution_history(executionArn=execution)["events"] for execution in executions]
    assert {events[-1]["type"] for events in histories} == {"ExecutionSucceeded"}
