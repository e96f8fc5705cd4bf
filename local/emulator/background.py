"""Starts the emulator in the background and stops it again. Both commands are idempotent.

A running instance holds a lock on its pid file. The lock, not the pid, shows that it runs: the pid of a dead process can belong
to another process, and small machines have no `ps` to check.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_TAIL_LINES = 20
REPOSITORY = Path(__file__).resolve().parents[2]


class Background:
    """The instance that keeps its files in `state`. `name` is the subject of messages, `module` is what `python -m` runs."""

    def __init__(self, state: Path, port: int, name: str, module: str, stop_hint: str) -> None:
        self._state = state
        self._port = port
        self._name = name
        self._module = module
        self._stop_hint = stop_hint
        self._pid_file = state / "pid"
        self._log = state / "stack.log"

    def occupy(self) -> None:
        """Lock the state folder for this process and write its pid. Raises OSError if another instance holds the lock."""
        self._state.mkdir(parents=True, exist_ok=True)
        self._locked_file = self._pid_file.open("a", encoding="utf-8")
        if not _lock(self._locked_file):
            raise OSError(
                f"another instance (pid {self._pid()}) uses the state folder {self._state}. "
                f"Stop it with `{self._stop_hint}`, or choose another folder with --state"
            )
        self._locked_file.truncate(0)
        self._locked_file.write(str(os.getpid()))
        self._locked_file.flush()

    def announce(self, endpoint: str) -> None:
        """Write the endpoint to the state folder, for a parent process that asked for port 0."""
        (self._state / "endpoint").write_text(endpoint, encoding="utf-8")

    def release(self) -> None:
        """Remove the pid file. The lock stays until the process ends; `stop` waits for that."""
        if self._pid() == os.getpid():
            self._pid_file.unlink(missing_ok=True)

    def _pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def health(self) -> dict[str, Any] | None:
        """The health document of the instance on our port, or None if no emulator answers there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/_local/health", timeout=2) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                found = json.load(error)
            except ValueError:
                return None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and "components" in found else None

    def start(self, arguments: list[str]) -> int:
        """Start in the background and wait until ready. Does nothing if a healthy instance runs. Returns the exit code."""
        if (found := self.health()) and found["status"] == "ok":
            print(f"{self._name} already runs and is healthy: {found['endpoint']} (pid {found['pid']})")
            return 0
        self._state.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", self._module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
        return self._wait_ready(process)

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> int:
        started = time.monotonic()
        while time.monotonic() - started < START_SECONDS:
            if process.poll() is not None:
                self._print_log_tail()
                return 1
            found = self.health()
            if found and found["status"] == "ok" and found["pid"] == process.pid:
                print(f"{self._name} is ready after {time.monotonic() - started:.1f} s: {found['endpoint']}")
                return 0
            time.sleep(0.05)
        print(f"{self._name} wasn't ready after {START_SECONDS:.0f} s. Its log is {self._log}", file=sys.stderr)
        process.terminate()
        return 1

    def _print_log_tail(self) -> None:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        print("\n".join(lines), file=sys.stderr)

    def stop(self) -> int:
        """Stop the instance that holds the lock, with SIGKILL after STOP_SECONDS. Returns the exit code."""
        try:
            file = self._pid_file.open(encoding="utf-8")
        except FileNotFoundError:
            print(f"{self._name} isn't running.")
            return 0
        signalled, deadline = None, time.monotonic() + STOP_SECONDS
        with file:
            while not _lock(file):
                pid = self._pid()
                if pid and pid != signalled:
                    _signal(pid, signal.SIGTERM)
                    signalled = pid
                if signalled and time.monotonic() > deadline:
                    _signal(signalled, signal.SIGKILL)  # its fork server and workers end with it
                    self._pid_file.unlink(missing_ok=True)
                    print(f"{self._name} didn't stop in time and was killed.", file=sys.stderr)
                    return 1
                time.sleep(0.05)
            self._pid_file.unlink(missing_ok=True)
        print(f"{self._name} has stopped." if signalled else f"{self._name} isn't running.")
        return 0


def port_taken(host: str, port: int) -> bool:
    """Whether the port can't be bound. Port 0 (any free port) can always be bound."""
    if port == 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _lock(file: IO[str]) -> bool:
    """Lock the file until it is closed. Returns False if another process holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
