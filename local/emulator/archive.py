"""Stores rarely read data (execution histories, old logs) compressed in a file instead of in memory."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
import zlib
from pathlib import Path
from typing import Any

Place = tuple[int, int]
"""Offset and length of a stored value, in bytes."""
FASTEST = 1  # zlib's level. Level 2 compresses a tenth better and takes half as much time again.


class Archive:
    """An append-only temporary file in `folder`. It has no name, so it disappears with the process.

    What can't be written, for example because the disk is full, stays in memory until it can be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as the process runs
        self._lock = threading.Lock()
        self._end = 0
        self._unwritten: dict[Place, bytes] = {}

    def close(self) -> None:
        """Delete all stored values."""
        self._file.close()

    def put(self, value: Any) -> Place:
        """Store a value that can be pickled. Returns the argument for `get`."""
        content = zlib.compress(pickle.dumps(value), FASTEST)
        with self._lock:
            place = (self._end, len(content))
            self._end += len(content)
        try:
            self._write(place, content)
        except OSError:
            with self._lock:
                self._unwritten[place] = content
        return place

    def get(self, place: Place) -> Any:
        """A new copy of the stored value."""
        offset, length = place
        with self._lock:
            content = self._unwritten.get(place)
        if content is None:
            content = os.pread(self._file.fileno(), length, offset)
        return pickle.loads(zlib.decompress(content))  # noqa: S301 - our own bytes

    def problem(self) -> str | None:
        """The reason why values stay in memory, or None. Tries to write them first."""
        with self._lock:
            for place, content in list(self._unwritten.items()):
                try:
                    self._write(place, content)
                except OSError as error:
                    return f"histories and logs can't be written to disk and wait in memory: {error.strerror}"
                del self._unwritten[place]
        return None

    def _write(self, place: Place, content: bytes) -> None:
        """Write all of the content: a single pwrite can write less, for example on the last block of a disk."""
        offset, rest = place[0], memoryview(content)
        while rest:
            written = os.pwrite(self._file.fileno(), rest, offset)
            offset, rest = offset + written, rest[written:]
