"""Starts the emulator in the background and stops it again. Both commands are idempotent.

A running instance holds a lock on its pid file. The lock, not the pid, shows that it runs: the pid of a dead process can belong
to another process, and small machines have no `ps` to check.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from local.emulator.instance import Instance
from local.emulator.isolation import open_local

START_SECONDS = 60.0
PREPARE_SECONDS = 600.0  # for an instance that answers already, and prepares itself
STOP_SECONDS = 15.0
LOG_TAIL_LINES = 20
INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended
REPOSITORY = Path(__file__).resolve().parents[2]


class Occupied(Exception):
    """Another instance uses the state folder. The message names it."""


class Background:
    """The instance that keeps its files in `state`. `name` is the subject of messages, `module` is what `python -m` runs.

    `discarded` is the sentence about what a stop discards. The hints are commands that messages suggest.
    """

    def __init__(
        self,
        state: Path,
        port: int,
        name: str,
        module: str,
        stop_hint: str,
        *,
        port_hint: str = "",
        discarded: str = "",
    ) -> None:
        self._state = state
        self._port = port
        self._name = name
        self._module = module
        self._stop_hint = stop_hint
        self._port_hint = port_hint
        self._discarded = discarded
        self._pid_file = state / "pid"
        self._log = state / "stack.log"
        self._sentence = state / "ending"

    def occupy(self) -> None:
        """Lock the state folder for this process and write its pid. Raises OSError, or Occupied if it is locked."""
        self._state.mkdir(parents=True, exist_ok=True)
        self._locked_file = self._pid_file.open("a", encoding="utf-8")
        if not _lock(self._locked_file):
            raise Occupied(
                f"another instance (pid {self._pid()}) uses the state folder {self._state}. "
                f"Stop it with `{self._stop_hint}`, or choose another folder with --state"
            )
        self._locked_file.truncate(0)
        self._locked_file.write(str(os.getpid()))
        self._locked_file.flush()

    def announce(self, endpoint: str) -> None:
        """Write the endpoint to the state folder, for a parent process that asked for port 0."""
        (self._state / "endpoint").write_text(endpoint, encoding="utf-8")

    def leave_sentence(self, sentence: str) -> None:
        """Leave a sentence that `stop` prints in another process, instead of the one about what is discarded."""
        with contextlib.suppress(OSError):  # the disk is full
            self._sentence.write_text(sentence, encoding="utf-8")

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
            with open_local(f"http://127.0.0.1:{self._port}/_local/health", timeout=2) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                found = json.load(error)
            except ValueError:
                return None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and "components" in found else None

    def start(self, arguments: list[str], wanted: Instance, asked: Collection[str]) -> int:
        """Start in the background and wait until ready. Returns the exit code.

        A healthy instance of the same checkout on our port is kept. If it has another value of an option that was `asked` for,
        that is an error.
        """
        if found := self.health():
            return self._adopt(found, wanted, asked)
        try:
            self._state.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as output:
                earlier = output.tell()
                process = self._spawn(arguments, output)
        except OSError as error:
            print(f"{self._name} can't start: {unwritable(self._state, error)}", file=sys.stderr)
            return 1
        with _interruptible():
            try:
                return self._wait_ready(process, earlier)
            except KeyboardInterrupt:
                _end(process)
                print(f"\n{self._name} was interrupted before it was ready. Nothing runs.", file=sys.stderr)
                return INTERRUPTED

    def _adopt(self, found: dict[str, Any], wanted: Instance, asked: Collection[str]) -> int:
        """Say what runs on our port already. Returns 0 if it is what was asked for."""
        running = Instance.from_health(found)
        what = f"already runs at {found['endpoint']} (pid {found['pid']})"
        restart = f"Run `{self._stop_hint}`, which discards what it stores, and start again"
        if running.checkout != wanted.checkout:
            problem = (
                f"Port {self._port} belongs to an instance of another checkout, {running.checkout} (pid {found['pid']}, version "
                f"{running.version or 'unknown'}). Run `{self._stop_hint}` there, or use other ports here: {self._port_hint}"
            )
        elif found["status"] != "ok":
            reasons = ": " + "; ".join(found["problems"]) if found["problems"] else ""
            problem = f"{self._name} {what}, but its status is {found['status']}{reasons}. {restart}."
        elif others := "; ".join(wanted.other_options(running, asked)):
            problem = f"{self._name} {what} with {others}. {restart}."
        else:
            print(f"{self._name} already runs and is healthy: {found['endpoint']} (pid {found['pid']})")
            if running.version != wanted.version:
                print(f"It runs other code than this folder has (version {running.version}, not {wanted.version}). {restart}.")
            return 0
        print(problem, file=sys.stderr)
        return 1

    def _spawn(self, arguments: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(
            [sys.executable, "-m", self._module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def _wait_ready(self, process: subprocess.Popen[bytes], earlier: int) -> int:
        """Wait for the process. `earlier` is the length in bytes of the log of earlier runs."""
        started = time.monotonic()
        limit = START_SECONDS
        while time.monotonic() - started < limit:
            if process.poll() is not None:
                self._print_reason(earlier)
                return 1
            found = self.health()
            if found and found["status"] == "ok" and found["pid"] == process.pid:
                page = found.get("web")
                places = f"{page} (the page), {found['endpoint']} (all AWS services)" if page else found["endpoint"]
                print(f"{self._name} is ready after {time.monotonic() - started:.1f} s: {places}")
                return 0
            if found and found["pid"] == process.pid:
                limit = PREPARE_SECONDS
            time.sleep(0.05)
        print(f"{self._name} wasn't ready after {limit:.0f} s. Its log is {self._log}", file=sys.stderr)
        _end(process)
        return 1

    def _print_reason(self, earlier: int) -> None:
        """Print why the process ended: its own sentence if it wrote one, otherwise the end of this run's log."""
        with self._log.open("rb") as file:
            file.seek(earlier)
            lines = file.read().decode("utf-8", "replace").splitlines()
        reasons = [line for line in lines if line.startswith(f"{self._name} can't start: ")]
        print("\n".join(reasons[-1:] or [*lines[-LOG_TAIL_LINES:], f"The whole log is {self._log}"]), file=sys.stderr)

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
        print(f"{self._name} has stopped. {self._ending()}".rstrip() if signalled else f"{self._name} isn't running.")
        return 0

    def _ending(self) -> str:
        """The sentence that the stopped process left, or the one about what is discarded."""
        try:
            left = self._sentence.read_text(encoding="utf-8")
            self._sentence.unlink()
        except OSError:
            left = ""
        return left or self._discarded


def port_problem(host: str, port: int) -> str | None:
    """The reason why the port can't be bound, or None. Port 0 (any free port) can be bound unless the host is wrong."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} is taken"
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"port {port} needs the permissions of the superuser"
        return f"it can't listen on {host}: {error.strerror or error}"
    return None


def unwritable(folder: Path, error: OSError) -> str:
    """The sentence for a state folder that can't be created or written."""
    return f"it can't write to the folder {folder} ({error.strerror or error}). Choose another folder with --state"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop a starting process and its children, with SIGKILL after STOP_SECONDS."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its fork server and workers end with it
        process.wait()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGTERM and SIGHUP too, until the block ends."""
    earlier = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


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
