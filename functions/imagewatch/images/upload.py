"""A file that a person wants to upload, and the key that it gets."""

from __future__ import annotations

import base64
import re
import unicodedata
from dataclasses import dataclass

from imagewatch.images.version import PEOPLE_PREFIX

MEDIA_TYPES = (
    "image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", "image/avif", "image/tiff", "image/gif", "image/bmp",
)  # fmt: skip
"""Of the supported formats. The content decides what an image is; the media type is what browsers are shown later."""
_MAX_NAME_BYTES = 200
_CONTENT_DIGITS = 32


def prefix_of(owner: str) -> str:
    """The beginning of the keys of a person's images."""
    return f"{PEOPLE_PREFIX}{owner}/"


@dataclass(frozen=True)
class Upload:
    """One file as its owner describes it."""

    name: str
    size: int
    """Bytes."""
    media_type: str
    sha256: str
    """Of the content: 64 hexadecimal digits in lower case."""

    def key(self, owner: str) -> str:
        """The object's key. The content is part of it, so that no file replaces another one of the same name."""
        return f"{self.prefix(owner)}{safe_name(self.name)}"

    def prefix(self, owner: str) -> str:
        """The beginning of every key that this content can have."""
        return f"{prefix_of(owner)}{self.sha256[:_CONTENT_DIGITS]}/"

    @property
    def checksum(self) -> str:
        """The SHA-256 in the form of S3's checksum fields: base64."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode("ascii")


def safe_name(name: str) -> str:
    """The last part of a path in NFC, without control characters, in at most 200 bytes with its extension; "image" for nothing.

    `name` can be any text, such as a path that a browser reports.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    clean = "".join("-" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in last).strip().rstrip(".")
    found = re.search(r"\.[0-9A-Za-z]{1,10}$", clean)
    suffix = found[0] if found else ""
    stem = clean.removesuffix(suffix).encode()[: _MAX_NAME_BYTES - len(suffix)].decode(errors="ignore").strip(" .")
    return f"{stem or 'image'}{suffix}"


def name_of(key: str) -> str:
    """The file's name in a key."""
    return key.rpartition("/")[2]
