"""Starting the stack in the background and stopping it again, safe to repeat: a pid file, a log, a look at its health.

A stack holds a lock on its pid file for as long as it lives: a pid may be another process's by now, a lock may not, and small
machines have no `ps` to tell.
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


class Background:
    """One stack for each state folder."""

    def __init__(self, state: Path, port: int) -> None:
        self._state = state
        self._port = port
        self._pid_file = state / "pid"
        self._log = state / "stack.log"

    def occupy(self) -> None:
        """Take the state folder, and leave our pid there. Raises OSError where another stack has it."""
        self._state.mkdir(parents=True, exist_ok=True)
        self._ours = self._pid_file.open("a", encoding="utf-8")
        if not _lock(self._ours):
            raise OSError(
                f"another one (pid {self._pid()}) keeps its state in {self._state}. `make down` stops it; or take another --state"
            )
        self._ours.truncate(0)
        self._ours.write(str(os.getpid()))
        self._ours.flush()

    def announce(self, endpoint: str) -> None:
        """Leave the endpoint for whoever started us with port 0."""
        (self._state / "endpoint").write_text(endpoint, encoding="utf-8")

    def forget(self) -> None:
        """Take the pid file away; its lock stays until our process has ended, which is what `stop` waits for."""
        if self._pid() == os.getpid():
            self._pid_file.unlink(missing_ok=True)

    def _pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def port_taken(self, host: str) -> bool:
        if self._port == 0:
            return False
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, self._port))
            except OSError:
                return True
        return False

    def health(self) -> dict[str, Any] | None:
        """What the stack on our port says about itself; None when nothing like it answers."""
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
        """Start and wait until ready; a healthy stack that already runs is left alone."""
        if (found := self.health()) and found["status"] == "ok":
            print(f"Imagewatch already runs and is healthy: {found['endpoint']} (pid {found['pid']})")
            return 0
        self._state.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "local", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path(__file__).resolve().parents[2],
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
                print(f"Imagewatch is ready after {time.monotonic() - started:.1f} s: {found['endpoint']}")
                return 0
            time.sleep(0.05)
        print(f"Imagewatch wasn't ready after {START_SECONDS:.0f} s; its log is {self._log}", file=sys.stderr)
        process.terminate()
        return 1

    def _print_log_tail(self) -> None:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        print("\n".join(lines), file=sys.stderr)

    def stop(self) -> int:
        """Stop the stack that holds the pid file; safe to repeat."""
        try:
            file = self._pid_file.open(encoding="utf-8")
        except FileNotFoundError:
            print("Imagewatch isn't running.")
            return 0
        told, end = None, time.monotonic() + STOP_SECONDS
        with file:
            while not _lock(file):
                pid = self._pid()
                if pid and pid != told:
                    _signal(pid, signal.SIGTERM)
                    told = pid
                if told and time.monotonic() > end:
                    _signal(told, signal.SIGKILL)  # its fork server and workers end with it
                    self._pid_file.unlink(missing_ok=True)
                    print("Imagewatch didn't stop in time and was killed.", file=sys.stderr)
                    return 1
                time.sleep(0.05)
            self._pid_file.unlink(missing_ok=True)
        print("Imagewatch has stopped." if told else "Imagewatch isn't running.")
        return 0


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _lock(file: IO[str]) -> bool:
    """Whether nobody else holds the file; if so, we do until it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
