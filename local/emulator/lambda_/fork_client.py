"""The server's end of the fork server: asks for workers, learns their pids and how they ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

# glibc gives what a worker has freed (decoded images) back to the system, instead of keeping it for next time.
THRIFT = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "262144", "MALLOC_MMAP_THRESHOLD_": "262144"}
REPOSITORY = Path(__file__).resolve().parents[3]


class ForkServerClient:
    """Starts the fork server at once (it imports while the rest starts); `spawn` may be called before it is ready."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **THRIFT, "PYTHONPATH": str(REPOSITORY), "AWS_EC2_METADATA_DISABLED": "true"}
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator.lambda_.fork_server", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._state = threading.Condition()
        self._next_id = 0
        self._pids: dict[int, int] = {}
        self._exits: dict[int, int] = {}
        self._closed = False
        self.ready = False
        threading.Thread(target=self._listen, name="fork-server", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, timeout: float) -> bool:
        with self._state:
            return self._state.wait_for(lambda: self.ready or self._closed, timeout) and self.ready

    def spawn(self, environment: dict[str, str], output: int) -> int:
        """Ask for a worker; returns the ticket to ask for its pid. Closes our copy of `output`."""
        with self._state:
            self._next_id += 1
            ticket = self._next_id
            message = json.dumps({"id": ticket, "environment": environment}).encode() + b"\n"
            try:
                socket.send_fds(self._socket, [message], [output])
            finally:
                os.close(output)
        return ticket

    def pid_of(self, ticket: int, timeout: float = 5) -> int | None:
        with self._state:
            self._state.wait_for(lambda: ticket in self._pids or self._closed, timeout)
            return self._pids.get(ticket)

    def exit_status(self, ticket: int, timeout: float = 10) -> int | None:
        """How the worker ended (negative: by that signal), or None if nothing is known within `timeout` seconds."""
        pid = self.pid_of(ticket, timeout)
        if pid is None:
            return None
        with self._state:
            self._state.wait_for(lambda: pid in self._exits or self._closed, timeout)
            return self._exits.get(pid)

    def kill(self, ticket: int) -> None:
        pid = self.pid_of(ticket, 60)  # the worker may be at work before we hear of it, and must not outlive its death
        with self._state:
            gone = pid is None or pid in self._exits
        if not gone and pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def close(self) -> None:
        """End the fork server; it takes its workers with it."""
        self._socket.close() if self._closed else self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        for pid in set(self._pids.values()) - set(self._exits):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _listen(self) -> None:
        pending = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            pending += data
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                self._note(json.loads(line))
        with self._state:
            self._closed = True
            self._state.notify_all()

    def _note(self, message: dict[str, Any]) -> None:
        with self._state:
            if "ready" in message:
                self.ready = True
            elif "spawned" in message:
                self._pids[message["spawned"]] = message["pid"]
                self._exits.pop(message["pid"], None)
            else:
                self._exits[message["exited"]] = message["status"]
            self._state.notify_all()

    def worker_pids(self) -> list[int]:
        with self._state:
            return sorted(set(self._pids.values()) - set(self._exits))
