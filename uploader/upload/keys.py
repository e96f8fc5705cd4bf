"""The keys of uploads in the images bucket."""

from __future__ import annotations

import socket
import unicodedata
from pathlib import PurePosixPath

from imagewatch.images.version import UPLOADS_PREFIX, normal_source
from uploader.errors import UsageError

MAX_KEY_BYTES = 1024
"""S3's limit on a key, in UTF-8 bytes (S3 user guide, "Naming Amazon S3 objects")."""

_HASH_DIGITS = 8


def source_name(chosen: str | None) -> str:
    """The folder below uploads/: the user's choice, or this host's name; lower case, words joined by "-".

    Raises UsageError for a path, and for a name without letters and digits.
    """
    if chosen is None:
        host = socket.gethostname().split(".")[0]
        return normal_source(host) if has_letters(host) else "unnamed-host"
    if "/" in chosen:
        raise UsageError(f"--source is one name and not a path, so it can't have a slash: {chosen!r}.")
    if not has_letters(chosen):
        raise UsageError(f"--source needs at least one letter or digit: {chosen!r} has none.")
    return normal_source(chosen)


def has_letters(name: str) -> bool:
    """Whether the name has a letter or digit of any script, which a source needs."""
    return any(character.isalnum() for character in name)


def object_key(source: str, relative: str) -> str:
    """The key of a file at `relative` (POSIX path) of a source.

    Names are normalised to NFC: macOS spells "é" as two characters and Linux as one. Raises ValueError, with the reason, for a
    name that S3 can't store.
    """
    return _checked(unicodedata.normalize("NFC", f"{UPLOADS_PREFIX}{source}/{relative}"))


def key_with_hash(key: str, sha256: str) -> str:
    """Another key for the same file, when `key` holds other content: cam/a.jpg -> cam/a-3f2a9c1b.jpg. Raises ValueError."""
    path = PurePosixPath(key)
    return _checked(str(path.with_name(f"{path.stem}-{sha256[:_HASH_DIGITS]}{path.suffix}")))


def _checked(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise ValueError("its name isn't valid UTF-8, so S3 can't store it. Rename it") from error
    if size > MAX_KEY_BYTES:
        raise ValueError(f"its key would have {size:,} bytes, and S3 allows {MAX_KEY_BYTES:,}. Shorten its path")
    if any(unicodedata.category(character) == "Cc" for character in key):
        raise ValueError("its name has a control character (such as a line break). Rename it")
    return key
