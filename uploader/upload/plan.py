"""Decides where each file goes before anything is sent, so that no two files end up as one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uploader.errors import UsageError
from uploader.upload.discovery import FoundFile, LeftOut
from uploader.upload.keys import object_key


@dataclass(frozen=True)
class PlannedUpload:
    """One file and the key it goes to; `size` in bytes."""

    path: Path
    key: str
    size: int
    content_type: str


@dataclass(frozen=True)
class Plan:
    """The uploads in order, and the files whose name S3 can't hold."""

    uploads: list[PlannedUpload]
    failed: list[LeftOut]


def plan_uploads(files: Iterable[FoundFile], source: str) -> Plan:
    """Gives each file its key; the same file named twice counts once.

    Raises UsageError, naming both, when two different files would land on the same key.
    """
    planned: dict[str, PlannedUpload] = {}
    failed: list[LeftOut] = []
    for file in files:
        try:
            key = object_key(source, file.relative)
        except ValueError as error:
            failed.append(LeftOut(str(file.path), str(error)))
            continue
        other = planned.get(key)
        if other is None:
            planned[key] = PlannedUpload(file.path, key, file.size, file.content_type)
        elif not other.path.samefile(file.path):
            raise UsageError(
                f"{other.path} and {file.path} would both be uploaded as {key}, so nothing was uploaded. "
                "Upload them in two commands with a different --source, or name the folder above them with --recursive."
            )
    return Plan(list(planned.values()), failed)
