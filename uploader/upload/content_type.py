"""The content type of a file from its first bytes. Names can be wrong, and some cameras name every file .jpg."""

from __future__ import annotations

import mimetypes

from imagewatch.images.file_formats import AVIF_BRANDS, HEIC_BRANDS

HEAD_BYTES = 512
"""The number of bytes that `image_type` needs. The brands of an ISO base media file are within them."""

_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_TIFF_MARKS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def image_type(head: bytes) -> str | None:
    """The MIME type of the image that starts with these bytes; None for anything that isn't in a supported format."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(_TIFF_MARKS):
        return "image/tiff"
    if head[4:8] == b"ftyp":
        return _iso_image_type(head)
    # Many text files start with "BM" too. The size of the second header decides.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    return None


def content_type(head: bytes, name: str) -> str:
    """The Content-Type of a file: from its content, or, if it is no image, from its name."""
    found = image_type(head)
    if found:
        return found
    guessed, _ = mimetypes.guess_type(name)
    if guessed and not guessed.startswith("image/"):
        return guessed
    return "application/octet-stream"


def _iso_image_type(head: bytes) -> str | None:
    """HEIC or AVIF, from the brands of an ISO base media file. A video (mp4, mov) has none of these brands."""
    size = int.from_bytes(head[:4], "big")
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    # AVIF first: its files also have the neutral brand mif1, which is the first one of many HEIC files.
    if brands & set(AVIF_BRANDS):
        return "image/avif"
    if brands & set(HEIC_BRANDS):
        return "image/heic"
    return None
