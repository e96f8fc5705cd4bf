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
    """An append-only temporary file in `folder`. It has no name, so it disappears with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as the process runs
        self._lock = threading.Lock()
        self._end = 0

    def close(self) -> None:
        """Delete all stored values."""
        self._file.close()

    def put(self, value: Any) -> Place:
        """Store a value that can be pickled. Returns the argument for `get`."""
        content = zlib.compress(pickle.dumps(value), FASTEST)
        with self._lock:
            place = (self._end, len(content))
            self._end += len(content)
        os.pwrite(self._file.fileno(), content, place[0])
        return place

    def get(self, place: Place) -> Any:
        """A new copy of the stored value."""
        offset, length = place
        return pickle.loads(zlib.decompress(os.pread(self._file.fileno(), length, offset)))  # noqa: S301 - our own bytes
