"""The server's side of the fork server: starts it, requests workers, and receives their pids and exit statuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.emulator.memory import MALLOC_ENVIRONMENT

REPOSITORY = Path(__file__).resolve().parents[3]


class ForkServerClient:
    """Starts the fork server, which imports the modules `preload` in the background. `spawn` works before it is ready."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **MALLOC_ENVIRONMENT, "PYTHONPATH": str(REPOSITORY), "AWS_EC2_METADATA_DISABLED": "true"}
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator.lambda_.fork_server", str(theirs.fileno()), *preload],
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
        """Request a worker that writes to `output`, and close our copy of it. Returns a ticket that identifies the worker."""
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
        """The worker's exit status, negative for a signal; None if it isn't known within `timeout` seconds."""
        pid = self.pid_of(ticket, timeout)
        if pid is None:
            return None
        with self._state:
            self._state.wait_for(lambda: pid in self._exits or self._closed, timeout)
            return self._exits.get(pid)

    def kill(self, ticket: int) -> None:
        pid = self.pid_of(ticket, 60)  # the worker can already run before its pid arrives
        with self._state:
            gone = pid is None or pid in self._exits
        if not gone and pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def close(self) -> None:
        """Stop the fork server, which stops its workers."""
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
