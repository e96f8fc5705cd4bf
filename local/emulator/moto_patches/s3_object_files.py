"""S3's objects as files: moto would keep each one's bytes in memory, or, spilled, a file open for each.

At 1,280 pixels a photo and its renditions were more than half of what the server's memory grew by for each image.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from moto.s3 import models


class BodyFile:
    """Stands in for the SpooledTemporaryFile of moto's FakeKey; the file is open only while it is read or written."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path
        self._position = 0
        self._made = False

    def seek(self, position: int) -> int:
        self._position = position
        return position

    def truncate(self) -> int:
        if self._made:
            with self._own_path().open("r+b") as file:
                file.truncate(self._position)
        return self._position

    def write(self, content: bytes) -> int:
        with self._own_path().open("r+b" if self._made else "wb") as file:
            self._made = True
            file.seek(self._position)
            written = file.write(content)
        self._position += written
        return written

    def read(self, size: int = -1) -> bytes:
        path = self._own_path()
        if not self._made:
            return b""
        with path.open("rb") as file:
            file.seek(self._position)
            content = file.read(size)
        self._position += len(content)
        return content

    def close(self) -> None:
        """moto closes the body of a version that is gone: the file goes with it."""
        if self._path and self._made:
            self._path.unlink(missing_ok=True)
        self._path = None

    def _own_path(self) -> Path:
        if self._path is None:
            raise ValueError("I/O operation on closed file")  # what a closed file says; moto reckons with it
        return self._path


def install(folder: Path) -> None:
    """Keep the bytes of every S3 object from now on in `folder`, which is emptied first: the names of an earlier run are gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    numbers = itertools.count(1)

    def body(*_: Any, **__: Any) -> BodyFile:
        return BodyFile(folder / f"{next(numbers):08x}")

    models.tempfile = SimpleNamespace(SpooledTemporaryFile=body)


def remove(folder: Path) -> None:
    """When the stack ends."""
    shutil.rmtree(folder, ignore_errors=True)
