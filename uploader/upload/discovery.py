"""Finds the files to upload, in a fixed order, and gives a reason for each file that isn't uploaded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagewatch.images.file_formats import MAX_FILE_BYTES
from uploader.upload.content_type import HEAD_BYTES, content_type, image_type

NOT_AN_IMAGE = "not an image"
HIDDEN = "hidden"
EMPTY = "empty"
LINKED_FOLDER = "a link to a folder"
BROKEN_LINK = "a link to nothing"
NOT_A_FILE = "neither a file nor a folder"

_SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "@eadir", "__macosx"}


@dataclass(frozen=True)
class FoundFile:
    """A file to upload. `relative` is its POSIX path from the named folder on, whose name is part of it; `size` is in bytes."""

    path: Path
    relative: str
    size: int
    content_type: str


@dataclass(frozen=True)
class UnsentFile:
    """A file that isn't uploaded, and the reason."""

    path: str
    reason: str


@dataclass
class FoundFiles:
    """The result of a search. `failed` files were asked for and can't be uploaded; `skipped` files weren't asked for."""

    files: list[FoundFile] = field(default_factory=list)
    failed: list[UnsentFile] = field(default_factory=list)
    skipped: list[UnsentFile] = field(default_factory=list)

    def fail(self, path: Path, reason: str) -> None:
        self.failed.append(UnsentFile(str(path), reason))

    def skip(self, path: Path, reason: str) -> None:
        self.skipped.append(UnsentFile(str(path), reason))


def find_files(paths: Iterable[str], *, recursive: bool, take_all: bool) -> FoundFiles:
    """The files that `paths` stand for, in the order given and by name within each folder.

    A file that is named itself is always included: its analysis says what is wrong with it. From a folder, only images are
    included, unless `take_all`. Errors of the disk don't raise: they end in `failed` or `skipped`.
    """
    findings = FoundFiles()
    for name in paths:
        path = Path(name)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            findings.fail(path, _why_not(error))
            continue
        if not stat.S_ISDIR(mode):
            _take_named(path, mode, findings)
        elif recursive:
            _walk(path, _Top.of(path), take_all, findings)
        else:
            findings.fail(path, "it's a folder; add --recursive to upload what is in it")
    return findings


@dataclass(frozen=True)
class _Top:
    """A folder that was named. Its name is part of the keys, so that files of two folders don't get the same key."""

    path: Path
    name: str

    @classmethod
    def of(cls, path: Path) -> _Top:
        name = path.name if path.name not in ("", "..") else path.resolve().name
        return cls(path, name)

    def relative(self, file: Path) -> str:
        below = file.relative_to(self.path).as_posix()
        return f"{self.name}/{below}" if self.name else below


def _take_named(path: Path, mode: int, findings: FoundFiles) -> None:
    if not stat.S_ISREG(mode):
        findings.fail(path, f"it's {NOT_A_FILE}")
        return
    try:
        size, head = _measure(path)
    except OSError as error:
        findings.fail(path, _why_not(error))
        return
    if size == 0:
        findings.fail(path, "the file is empty")
    else:
        _take(path, path.name, size, head, findings)


def _take(path: Path, relative: str, size: int, head: bytes, findings: FoundFiles) -> None:
    if size > MAX_FILE_BYTES:
        findings.fail(path, f"it has {size:,} bytes, and Imagewatch reads files up to {MAX_FILE_BYTES:,} (100 MiB)")
        return
    findings.files.append(FoundFile(path, relative, size, content_type(head, path.name)))


def _walk(folder: Path, top: _Top, take_all: bool, findings: FoundFiles) -> None:
    """Includes the images below `folder`. It doesn't follow links to folders, because links can form a loop."""
    try:
        entries = list(_entries(folder))
    except OSError as error:
        findings.fail(folder, _why_not(error))
        return
    for entry in entries:
        path = folder / entry.name
        try:
            _take_entry(entry, path, top, take_all, findings)
        except OSError as error:
            findings.fail(path, _why_not(error))


def _take_entry(entry: os.DirEntry[str], path: Path, top: _Top, take_all: bool, findings: FoundFiles) -> None:
    if _is_hidden(entry.name):
        findings.skip(path, HIDDEN)
    elif entry.is_dir(follow_symlinks=False):
        _walk(path, top, take_all, findings)
    elif entry.is_symlink() and not path.exists():
        findings.skip(path, BROKEN_LINK)
    elif entry.is_dir():
        findings.skip(path, LINKED_FOLDER)
    elif not entry.is_file():
        findings.skip(path, NOT_A_FILE)
    else:
        _take_found(path, top.relative(path), take_all, findings)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: entry.name)


def _take_found(path: Path, relative: str, take_all: bool, findings: FoundFiles) -> None:
    size, head = _measure(path)
    if size == 0:
        findings.skip(path, EMPTY)
    elif take_all or image_type(head):
        _take(path, relative, size, head, findings)
    else:
        findings.skip(path, NOT_AN_IMAGE)


def _measure(path: Path) -> tuple[int, bytes]:
    """The size in bytes and the first bytes of a file. Raises OSError for a file that can't be read."""
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size, file.read(HEAD_BYTES)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _why_not(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "permission denied: this user may not read it"
    return f"it can't be read: {error.strerror or error}"
