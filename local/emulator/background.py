"""Starts the emulator in the background and stops it again. Both commands are idempotent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from local.emulator.instance import Instance
from local.emulator.isolation import open_local
from local.emulator.state_folder import StateFolder, lock, unwritable

START_SECONDS = 60.0
PREPARE_SECONDS = 600.0  # for an instance that answers already, and prepares itself
STOP_SECONDS = 15.0
LOG_TAIL_LINES = 20
INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended
REPOSITORY = Path(__file__).resolve().parents[2]


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
        self.folder = StateFolder(state, stop_hint)
        self._port = port
        self._name = name
        self._module = module
        self._stop_hint = stop_hint
        self._port_hint = port_hint
        self._discarded = discarded

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
            self.folder.path.mkdir(parents=True, exist_ok=True)
            with self.folder.log.open("ab") as output:
                earlier = output.tell()
                process = self._spawn(arguments, output)
        except OSError as error:
            print(f"{self._name} can't start: {unwritable(self.folder.path, error)}", file=sys.stderr)
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
        print(f"{self._name} wasn't ready after {limit:.0f} s. Its log is {self.folder.log}", file=sys.stderr)
        _end(process)
        return 1

    def _print_reason(self, earlier: int) -> None:
        """Print why the process ended: its own sentence if it wrote one, otherwise the end of this run's log."""
        with self.folder.log.open("rb") as file:
            file.seek(earlier)
            lines = file.read().decode("utf-8", "replace").splitlines()
        reasons = [line for line in lines if line.startswith(f"{self._name} can't start: ")]
        print("\n".join(reasons[-1:] or [*lines[-LOG_TAIL_LINES:], f"The whole log is {self.folder.log}"]), file=sys.stderr)

    def stop(self) -> int:
        """Stop the instance that holds the lock, with SIGKILL after STOP_SECONDS. Returns the exit code."""
        try:
            file = self.folder.pid_file.open(encoding="utf-8")
        except FileNotFoundError:
            print(f"{self._name} isn't running.")
            return 0
        signalled, deadline = None, time.monotonic() + STOP_SECONDS
        with file:
            while not lock(file):
                pid = self.folder.pid()
                if pid and pid != signalled:
                    _signal(pid, signal.SIGTERM)
                    signalled = pid
                if signalled and time.monotonic() > deadline:
                    _signal(signalled, signal.SIGKILL)  # its fork server and workers end with it
                    self.folder.pid_file.unlink(missing_ok=True)
                    print(f"{self._name} didn't stop in time and was killed.", file=sys.stderr)
                    return 1
                time.sleep(0.05)
            self.folder.pid_file.unlink(missing_ok=True)
        if signalled:
            print(f"{self._name} has stopped. {self.folder.take_sentence() or self._discarded}".rstrip())
        else:
            print(f"{self._name} isn't running.")
        return 0


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
