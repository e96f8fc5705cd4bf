"""The folder in which an instance keeps its pid file, its log, and what it leaves for other processes.

A running instance holds a lock on its pid file. The lock, not the pid, shows that it runs: the pid of a dead process can belong
to another process, and small machines have no `ps` to check.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO


class Occupied(Exception):
    """Another instance uses the state folder. The message names it."""


class StateFolder:
    """The state folder of one instance. `stop_hint` is the command that stops it."""

    def __init__(self, path: Path, stop_hint: str) -> None:
        self.path = path
        self.pid_file = path / "pid"
        self.log = path / "stack.log"
        self._stop_hint = stop_hint
        self._sentence = path / "ending"

    def occupy(self) -> None:
        """Lock the state folder for this process and write its pid. Raises OSError, or Occupied if it is locked."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._locked_file = self.pid_file.open("a", encoding="utf-8")
        if not lock(self._locked_file):
            raise Occupied(
                f"another instance (pid {self.pid()}) uses the state folder {self.path}. "
                f"Stop it with `{self._stop_hint}`, or choose another folder with --state"
            )
        self._locked_file.truncate(0)
        self._locked_file.write(str(os.getpid()))
        self._locked_file.flush()

    def announce(self, endpoint: str) -> None:
        """Write the endpoint to the state folder, for a parent process that asked for port 0."""
        (self.path / "endpoint").write_text(endpoint, encoding="utf-8")

    def leave_sentence(self, sentence: str) -> None:
        """Leave a sentence that `stop` prints in another process, instead of the one about what is discarded."""
        with contextlib.suppress(OSError):  # the disk is full
            self._sentence.write_text(sentence, encoding="utf-8")

    def release(self) -> None:
        """Remove the pid file. The lock stays until the process ends; `stop` waits for that."""
        if self.pid() == os.getpid():
            self.pid_file.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """The pid of the instance that wrote the file last, which may have ended."""
        try:
            return int(self.pid_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def take_sentence(self) -> str:
        """The sentence that a stopped process left, or an empty text. It is removed."""
        try:
            left = self._sentence.read_text(encoding="utf-8")
            self._sentence.unlink()
        except OSError:
            return ""
        return left


def lock(file: IO[str]) -> bool:
    """Lock the file until it is closed. Returns False if another process holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unwritable(folder: Path, error: OSError) -> str:
    """The sentence for a state folder that can't be created or written."""
    return f"it can't write to the folder {folder} ({error.strerror or error}). Choose another folder with --state"
