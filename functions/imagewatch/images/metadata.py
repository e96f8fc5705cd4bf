"""Metadata of an image file, read tolerantly: what is unreadable beside the pixels is ignored and never a reason to reject.

Sources: Exif 2.32 (JEITA CP-3451X), XMP part 1 (tiff:Orientation), PNG third edition (ancillary chunks), ITU-T T.81 (JPEG).
"""

from __future__ import annotations

import re
import struct
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
_SHORT = 3
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])\b")
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, ArithmeticError, LookupError, TypeError, AttributeError, struct.error)

# The segments of a JPEG that its pixels need: everything but comments and application data. APP14 says how colours are coded.
_APP14 = 0xEE
_DROPPED_SEGMENTS = {*range(0xE0, 0xF0), 0xFE} - {_APP14}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_NEEDED_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """1 to 8, as Exif counts: from Exif, else from XMP, else 1. Any number type is accepted; other values count as 1."""
    try:
        value = image.getexif().get(ORIENTATION)
    except UNREADABLE:
        value = None
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, int) and 1 <= value <= 8:
        return value
    return _xmp_orientation(image.info)


def upright(image: Image.Image, turned: int) -> Image.Image:
    """The image turned by an orientation of 1 to 8. The same object where nothing has to be done."""
    return image.transpose(_TURNS[turned]) if turned in _TURNS else image


def swaps_sides(turned: int) -> bool:
    """Whether an orientation exchanges width and height."""
    return turned in (5, 6, 7, 8)


def regular_exif_orientation(jpeg: bytes) -> int:
    """The orientation that every reader of a JPEG sees: one SHORT in the first directory of the first Exif segment; else 1."""
    for marker, start, end in segments(jpeg):
        if marker == 0xE1 and jpeg[start : start + 6] == b"Exif\0\0":
            try:
                return _short_orientation(jpeg[start + 6 : end])
            except struct.error:
                return 1
    return 1


def icc_profile(image: Image.Image) -> bytes | None:
    """The embedded colour profile, unread; None where there is none."""
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile else None


def frame_count(image: Image.Image) -> int:
    """How many pictures the file holds, 1 where that can't be read. A phone's JPEG with previews (MPO) counts as one."""
    if image.format == "MPO":
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except UNREADABLE:
        return 1


def without_metadata(data: bytes) -> bytes | None:
    """A JPEG or PNG reduced to what its pixels need; None for other formats and broken structures."""
    if data.startswith(b"\xff\xd8"):
        return _bare_jpeg(data)
    return _bare_png(data) if data.startswith(_PNG_MAGIC) else None


def _xmp_orientation(info: dict[Any, Any]) -> int:
    for name in ("xmp", "XML:com.adobe.xmp"):
        packet = info.get(name)
        found = _XMP_ORIENTATION.search(packet.encode() if isinstance(packet, str) else packet or b"")
        if found:
            return int(found[1])
    return 1


def _short_orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    (directory,) = struct.unpack_from(f"{order}4xI", tiff)
    (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
    for number in range(entries):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * number)
        if tag == ORIENTATION:
            return int(value) if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1
    return 1


def segments(jpeg: bytes) -> list[tuple[int, int, int]]:
    """(marker, start of the payload, its end) of each segment before the image data."""
    found, at = [], 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        found.append((marker, at + 4, at + 2 + length))
        if marker == 0xDA:
            break
        at += 2 + length
    return found


def _bare_jpeg(data: bytes) -> bytes | None:
    found = segments(data)
    if not found or found[-1][0] != 0xDA:
        return None
    kept = [data[start - 4 : end] for marker, start, end in found[:-1] if marker not in _DROPPED_SEGMENTS]
    return b"".join([b"\xff\xd8", *kept, data[found[-1][1] - 4 :]])


def _bare_png(data: bytes) -> bytes | None:
    kept, at = [_PNG_MAGIC], len(_PNG_MAGIC)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data) and name != b"IDAT":
            return None
        if name in _NEEDED_CHUNKS:
            kept.append(data[at:end])
        at = end
        if name == b"IEND":
            return b"".join(kept)
    return b"".join(kept)
