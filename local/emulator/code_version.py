"""The version of the code that an instance runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = frozenset({".py", ".yaml", ".json", ".js", ".css", ".html"})
DIGITS = 12


def code_version(paths: Sequence[Path]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the source files at and below the paths.

    It changes with each edit, so it doesn't need Git.
    """
    digest = hashlib.sha256()
    for root in paths:
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.suffix in SUFFIXES and file.is_file():
                content = file.read_bytes()
                digest.update(f"{root.name}/{file.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:DIGITS]
