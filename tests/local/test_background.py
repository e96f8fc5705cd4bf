"""Starting and stopping in the background, as `make up` and `make down` do: idempotent, one stack for each state folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from local.emulator.background import Background
from tests.local.running_stack import ROOT, free_port


class Checkout:
    """`python -m local` with its own state folder and ports, and without `ps` on the PATH."""

    def __init__(self, state: Path) -> None:
        self.state, self.port = state, free_port()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment["PATH"] = str(Path(sys.executable).parent)

    def local(self, *arguments: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local", "--state", str(self.state), "--port", str(port or self.port), *arguments]
        return subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=180, check=False)

    def up(self, port: int | None = None) -> subprocess.CompletedProcess[str]:
        return self.local("--web-port", str(free_port()), "--detach", port=port)

    def down(self) -> subprocess.CompletedProcess[str]:
        return self.local("--stop")

    @property
    def pid(self) -> int:
        return int((self.state / "pid").read_text())

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/_local/health") as answer:
                return bool(json.load(answer)["status"] == "ok")
        except URLError:
            return False


def in_folder(state: Path) -> Background:
    return Background(state, 0, "Imagewatch", "local", "make down")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path / "state")
    yield checkout
    checkout.down()


def test_up_and_down_are_safe_to_repeat(checkout: Checkout) -> None:
    first = checkout.up()
    assert (first.returncode, checkout.healthy()) == (0, True), first.stdout + first.stderr
    assert f"http://localhost:{checkout.port}" in first.stdout
    pid = checkout.pid

    again = checkout.up()
    assert (again.returncode, checkout.pid) == (0, pid)
    assert f"already runs and is healthy: http://localhost:{checkout.port} (pid {pid})" in again.stdout

    for answer in ("Imagewatch has stopped.", "Imagewatch isn't running."):
        down = checkout.down()
        assert (down.returncode, down.stdout.strip(), down.stderr) == (0, answer, "")
        assert not checkout.healthy()
        assert not (checkout.state / "pid").exists()


def test_a_folder_keeps_the_state_of_one_stack(checkout: Checkout) -> None:
    assert checkout.up().returncode == 0
    pid = checkout.pid

    second = checkout.up(port=free_port())

    assert second.returncode == 1
    assert f"another instance (pid {pid}) uses the state folder {checkout.state}. Stop it with `make down`, or" in second.stderr
    assert (checkout.pid, checkout.healthy()) == (pid, True)


def test_a_paused_stack_stops_when_it_continues(checkout: Checkout) -> None:
    assert checkout.up().returncode == 0
    pid = checkout.pid
    os.kill(pid, signal.SIGSTOP)  # like Ctrl-Z; afterwards any thread can receive the signal below
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)

    down = checkout.down()

    assert (down.returncode, down.stderr) == (0, "")
    assert not checkout.healthy()


def test_a_pid_that_belongs_to_another_process_is_not_signalled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pid").write_text(str(os.getpid()))

    assert in_folder(tmp_path).stop() == 0

    assert capsys.readouterr().out.strip() == "Imagewatch isn't running."
    assert not (tmp_path / "pid").exists()


def test_a_stack_that_does_not_stop_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
import pathlib, signal, time
from local.emulator.background import Background
signal.signal(signal.SIGTERM, signal.SIG_IGN)
background = Background(pathlib.Path({str(tmp_path)!r}), 0, "Imagewatch", "local", "make down")
background.occupy()
print("here", flush=True)
time.sleep(60)
"""
    monkeypatch.setattr("local.emulator.background.STOP_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as deaf:
        assert deaf.stdout
        assert deaf.stdout.readline() == "here\n"
        assert in_folder(tmp_path).stop() == 1
        assert deaf.wait() == -signal.SIGKILL
    assert capsys.readouterr().err.strip() == "Imagewatch didn't stop in time and was killed."
