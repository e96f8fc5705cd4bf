"""What a file is by its first bytes, because names lie and cameras write .jpg on everything."""

from __future__ import annotations

import mimetypes

HEAD_BYTES = 512
"""How much of a file `image_type` wants to see; an ISO container's list of brands fits well within it."""

_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_TIFF_MARKS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def image_type(head: bytes) -> str | None:
    """The MIME type of the image that starts with these bytes, or None when they don't start an image we know."""
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
    # "BM" alone also starts plenty of text files; the size of the second header settles it.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    return None


def content_type(head: bytes, name: str) -> str:
    """The Content-Type to store: by content; by name only for what is no image; never an image type by name alone."""
    found = image_type(head)
    if found:
        return found
    guessed, _ = mimetypes.guess_type(name)
    if guessed and not guessed.startswith("image/"):
        return guessed
    return "application/octet-stream"


def _iso_image_type(head: bytes) -> str | None:
    """HEIC or AVIF from the brands of an ISO base media file; a film (mp4, mov) has none of theirs."""
    size = int.from_bytes(head[:4], "big")
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    # AVIF first: its files also carry the neutral brand mif1, which many HEIC files lead with.
    if brands & _AVIF_BRANDS:
        return "image/avif"
    if brands & _HEIC_BRANDS:
        return "image/heic"
    return None
