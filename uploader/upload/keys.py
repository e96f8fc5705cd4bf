"""How an upload is named: its source, its key in the images bucket, and the id the pipeline will give it."""

from __future__ import annotations

import hashlib
import re
import socket
import unicodedata

from uploader.errors import UsageError

UPLOADS_PREFIX = "uploads"
"""The pipeline looks at nothing outside this folder of the bucket."""

MAX_KEY_BYTES = 1024
"""S3's limit on a key, in UTF-8 bytes (S3 user guide, "Naming Amazon S3 objects")."""


def image_id(bucket: str, key: str) -> str:
    """The ImageId of an object: the pipeline computes the same 32 hex characters (functions/imagewatch)."""
    return hashlib.sha256(f"{bucket}\n{key}".encode()).hexdigest()[:32]


def source_name(chosen: str | None) -> str:
    """The folder below uploads/: what the user chose, else this host's name; lower case, words joined by "-".

    Raises UsageError for a name that leaves nothing, or that is a path: a source is one folder.
    """
    if chosen is None:
        return slug(socket.gethostname().split(".")[0]) or "unnamed-host"
    if "/" in chosen:
        raise UsageError(f"--source is one name and not a path, so it can't have a slash: {chosen!r}.")
    name = slug(chosen)
    if not name:
        raise UsageError(f"--source needs at least one letter or digit: {chosen!r} has none.")
    return name


def slug(name: str) -> str:
    """Lower case, with everything but letters and digits (of any script), "_" and "." turned into single dashes."""
    flat = unicodedata.normalize("NFC", name).lower()
    return re.sub(r"[^\w.]+", "-", flat).strip("-._")


def object_key(source: str, relative: str) -> str:
    """The key for a file at `relative` (POSIX path) of a source.

    Names are normalised to NFC, since macOS spells "é" as two characters and Linux as one.
    Raises ValueError, with the reason as its text, for a name that S3 can't hold.
    """
    key = unicodedata.normalize("NFC", f"{UPLOADS_PREFIX}/{source}/{relative}")
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise ValueError("its name isn't valid UTF-8, so S3 can't hold it; rename it") from error
    if size > MAX_KEY_BYTES:
        raise ValueError(f"its key would be {size:,} bytes long, and S3 allows {MAX_KEY_BYTES:,}; shorten its path")
    if any(unicodedata.category(character) == "Cc" for character in key):
        raise ValueError("its name has a control character (such as a line break); rename it")
    return key
