"""What a file that is no image looks like, so that its rejection can say so."""

from __future__ import annotations

import codecs

_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")  # AVIF and HEIC among the MP4s


def other_kind(data: bytes) -> str | None:
    """Its kind with an article, None where nothing is recognised."""
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, kind in ((b"%PDF", "a PDF document"), (b"PK\x03\x04", "a ZIP archive"), (b"\x1aE\xdf\xa3", "a Matroska video")):
        if head.startswith(magic):
            return kind
    if data[4:8] == b"ftyp" and data[8:12] not in _IMAGE_BRANDS:
        return "a video or an image of an unknown kind"
    if b"<svg" in head.lower():
        return "an SVG drawing"
    if head[:1] in (b"<", b"{", b"["):
        return "a text document"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the cut may fall into a character
    except UnicodeDecodeError:
        return None
    return "text" if text and all(c.isprintable() or c.isspace() for c in text) else None
