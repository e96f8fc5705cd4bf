"""Starting the stack in the background and stopping it again, safe to repeat: a pid file, a log, a look at its health."""

from __future__ import annotations

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
from typing import Any

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

    def remember(self, endpoint: str) -> None:
        """Leave our pid, and the endpoint for whoever started us with port 0."""
        self._state.mkdir(parents=True, exist_ok=True)
        self._pid_file.write_text(str(os.getpid()), encoding="utf-8")
        (self._state / "endpoint").write_text(endpoint, encoding="utf-8")

    def forget(self) -> None:
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
                cwd=Path(__file__).resolve().parents[1],
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
        """Stop what the pid file names, if it is one of ours; safe to repeat."""
        pid = self._pid()
        if pid is None or not _is_ours(pid):
            self._pid_file.unlink(missing_ok=True)
            print("Imagewatch isn't running.")
            return 0
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end:
            if not _alive(pid):
                self._pid_file.unlink(missing_ok=True)
                print("Imagewatch has stopped.")
                return 0
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)  # its fork server and workers end with it
        self._pid_file.unlink(missing_ok=True)
        print("Imagewatch didn't stop in time and was killed.", file=sys.stderr)
        return 1


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return status.stdout.strip().startswith("Z")


def _is_ours(pid: int) -> bool:
    """Whether that process is a local stack: pids are reused."""
    if not _alive(pid):
        return False
    shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "-m local" in shown.stdout
