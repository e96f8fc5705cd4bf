"""What nobody may ever ask for again (histories, logs) lies compressed in a file: memory keeps the place of each piece."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
import zlib
from pathlib import Path
from typing import Any

Place = tuple[int, int]
FASTEST = 1  # zlib's level: the next one takes off a tenth more, for half as much time again


class Archive:
    """An append-only file in `folder` that has no name there: nothing is left behind, however the process ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - as long as the process
        self._lock = threading.Lock()
        self._end = 0

    def close(self) -> None:
        """Give up everything that was put."""
        self._file.close()

    def put(self, value: Any) -> Place:
        """Store any value that can be pickled; returns what `get` wants."""
        content = zlib.compress(pickle.dumps(value), FASTEST)
        with self._lock:
            place = (self._end, len(content))
            self._end += len(content)
        os.pwrite(self._file.fileno(), content, place[0])
        return place

    def get(self, place: Place) -> Any:
        """A new copy of the value, equal to what was put."""
        offset, length = place
        return pickle.loads(zlib.decompress(os.pread(self._file.fileno(), length, offset)))  # noqa: S301 - our own bytes
