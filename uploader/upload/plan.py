"""Gives each file its key before anything is uploaded. Files that would get the same key fail."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from uploader.upload.discovery import FoundFile, UnsentFile
from uploader.upload.keys import object_key


@dataclass(frozen=True)
class PlannedUpload:
    """One file and its key; `size` in bytes."""

    path: Path
    key: str
    size: int
    content_type: str


@dataclass(frozen=True)
class Plan:
    """The uploads in order, and the files that can't be uploaded."""

    uploads: list[PlannedUpload]
    failed: list[UnsentFile]


def plan_uploads(files: Iterable[FoundFile], source: str) -> Plan:
    """Gives each file its key. A file that was named twice counts once. Different files with one key fail, all of them."""
    by_key: dict[str, list[FoundFile]] = {}
    failed: list[UnsentFile] = []
    for file in files:
        try:
            key = object_key(source, file.relative)
        except ValueError as error:
            failed.append(UnsentFile(str(file.path), str(error)))
            continue
        sharing = by_key.setdefault(key, [])
        if not any(other.path.samefile(file.path) for other in sharing):
            sharing.append(file)
    uploads = [PlannedUpload(one.path, key, one.size, one.content_type) for key, (one, *more) in by_key.items() if not more]
    failed += [failure for key, sharing in by_key.items() if len(sharing) > 1 for failure in _collisions(key, sharing)]
    return Plan(uploads, failed)


def _collisions(key: str, files: Sequence[FoundFile]) -> list[UnsentFile]:
    """Why none of these files is uploaded, and what to do."""
    failures = []
    for file in files:
        others = " and ".join(str(other.path) for other in files if other is not file)
        if all(_differ_in_unicode_form(file, other) for other in files if other is not file):
            advice = (
                f"its name and that of {others} differ only in the Unicode form of an accented letter (NFC, NFD), so both "
                f"would get the key {key}. Rename one of them and upload both again"
            )
        else:
            advice = (
                f"{others} would get the same key {key}. Upload them in two commands with different --source names, "
                "or name the folder above them with --recursive"
            )
        failures.append(UnsentFile(str(file.path), advice))
    return failures


def _differ_in_unicode_form(one: FoundFile, other: FoundFile) -> bool:
    names = (str(one.path), str(other.path))
    return names[0] != names[1] and len({unicodedata.normalize("NFC", name) for name in names}) == 1
