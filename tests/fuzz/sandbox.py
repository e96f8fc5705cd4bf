"""Examines images in a child process with a function's memory and time. A crash of the process is a result."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

from imagewatch.errors import ImageRejected

FUNCTION_MEMORY_MB = 1769  # ValidateImageFunction's in template.yaml
PAGE = resource.getpagesize()
READY_SECONDS = 60.0
READ, REJECTED = "read", "rejected"


class Sandbox:
    """Examines images with `target` ("module:function"). A new process replaces one that crashed."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target, self._seconds = target, seconds
        self._start()

    def examine(self, data: bytes) -> tuple[str, str]:
        """(READ or REJECTED, format or reason), or ("finding", what went wrong)."""
        try:
            self._connection.send_bytes(data)
            if not self._connection.poll(self._seconds):
                return self._replaced(f"The image took longer than {self._seconds:g} s.")
            verdict, what = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(5)
            return self._replaced(f"The process ended with code {self._process.exitcode}.")
        return verdict, what

    def _replaced(self, what: str) -> tuple[str, str]:
        self.close()
        self._start()
        return "finding", what

    def _start(self) -> None:
        # Spawned and not forked, so that it has only a plain interpreter's memory.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._target), daemon=True)
        self._process.start()
        theirs.close()
        if not self._connection.poll(READY_SECONDS):
            raise TimeoutError("The child process was not ready in time.")
        self._connection.recv()

    def close(self) -> None:
        self._process.kill()
        self._process.join(5)
        self._connection.close()


def serve(connection: Connection, target: str) -> None:
    """Runs in the child process: examines each image that it receives."""
    module, _, name = target.partition(":")
    examine = getattr(importlib.import_module(module), name)
    warnings.simplefilter("ignore")  # Pillow's warnings about damaged metadata
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff prints to stderr
    limit_memory()
    connection.send("ready")
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        connection.send(verdict_on(examine, data))


def verdict_on(examine: object, data: bytes) -> tuple[str, str]:
    try:
        picture = examine(data)  # type: ignore[operator]
    except ImageRejected as rejected:
        if isinstance(rejected.__cause__, MemoryError):
            # Here the allocation fails. Lambda would kill the process.
            return "finding", f"The image needs more memory than the function has: {rejected}"
        return (
            (REJECTED, str(rejected)) if str(rejected).endswith(".") else ("finding", f"The reason is not a sentence: {rejected}")
        )
    except Exception as error:  # noqa: BLE001 (any other exception is a finding)
        return "finding", f"{type(error).__name__}: {error}"
    return READ, picture.format


def limit_memory() -> None:
    """Limits this process to the memory that the function would still have.

    RLIMIT_AS counts mapped memory, and an interpreter maps far more (libraries, reserved arenas) than it uses. Lambda counts used
    memory. So the limit is: mapped now, plus the function's memory, minus used now.
    """
    mapped, used = (int(pages) * PAGE for pages in Path("/proc/self/statm").read_text().split()[:2])
    limit = mapped + FUNCTION_MEMORY_MB * 1024 * 1024 - used
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
