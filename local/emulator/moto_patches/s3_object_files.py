"""Stores the content of S3 objects in files. moto keeps it in memory, or keeps a file open for each object."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from moto.s3 import models

from local.emulator.moto_patches.replacing import Restore, replace


class BodyFile:
    """Replaces the SpooledTemporaryFile of moto's FakeKey. The file is open only while it is read or written."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path
        self._position = 0
        self._exists = False

    @property
    def path(self) -> Path | None:
        """The file with the content. None if nothing was written."""
        return self._path if self._exists else None

    def seek(self, position: int) -> int:
        self._position = position
        return position

    def truncate(self) -> int:
        if self._exists:
            with self._own_path().open("r+b") as file:
                file.truncate(self._position)
        return self._position

    def write(self, content: bytes) -> int:
        """Write at the position. Raises OSError; then a new file is removed, so that it takes no space on a full disk."""
        path, new = self._own_path(), not self._exists
        try:
            with path.open("wb" if new else "r+b") as file:
                file.seek(self._position)
                written = file.write(content)
        except OSError:
            if new:
                path.unlink(missing_ok=True)
            raise
        self._exists = True
        self._position += written
        return written

    def read(self, size: int = -1) -> bytes:
        path = self._own_path()
        if not self._exists:
            return b""
        with path.open("rb") as file:
            file.seek(self._position)
            content = file.read(size)
        self._position += len(content)
        return content

    def close(self) -> None:
        """Delete the file. moto closes the content of a deleted version."""
        if self._path and self._exists:
            self._path.unlink(missing_ok=True)
        self._path = None

    def _own_path(self) -> Path:
        if self._path is None:
            raise ValueError("I/O operation on closed file")  # moto catches the error that closed files raise
        return self._path


def install(folder: Path) -> Restore:
    """Store the content of all new objects in `folder`, which is emptied first. Returns a function that restores moto."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    numbers = itertools.count(1)

    def body(*_: Any, **__: Any) -> BodyFile:
        return BodyFile(folder / f"{next(numbers):08x}")

    return replace((models, "tempfile", SimpleNamespace(SpooledTemporaryFile=body)))


def remove(folder: Path) -> None:
    """Delete the folder when the emulator stops."""
    shutil.rmtree(folder, ignore_errors=True)
