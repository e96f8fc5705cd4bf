"""Names what is inside a supported container when its pixels can't be read: "a 12-bit JPEG" is not a damaged JPEG.

Sources: ITU-T T.81 table B.1 (JPEG frame headers), TIFF 6.0 and its technical notes (tags), TIFF/EP and DNG 1.7 (raw data).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from imagewatch.images.metadata import segments

BITS, COMPRESSION, PHOTOMETRIC, MAKE, SAMPLES, SUB_DIRECTORIES, SAMPLE_FORMAT = 258, 259, 262, 271, 277, 330, 339
WIDTH, HEIGHT, SUBFILE_TYPE, DNG_VERSION = 256, 257, 254, 50706
_CFA, _LINEAR_RAW = 32803, 34892  # photometric interpretations of undeveloped sensor data
_MAX_ENTRIES = 512

_SAVE = "Save it as an 8-bit JPEG or PNG."
_JPEG_KINDS = {3: "lossless", 5: "hierarchical", 6: "hierarchical", 7: "lossless", 11: "lossless", 13: "hierarchical",
               14: "hierarchical", 15: "lossless"}  # fmt: skip
_TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}
_MAKERS = {
    "nikon": "a Nikon raw file (NEF)",
    "sony": "a Sony raw file (ARW)",
    "pentax": "a Pentax raw file (PEF)",
    "samsung": "a Samsung raw file (SRW)",
    "canon": "a Canon raw file",
    "hasselblad": "a Hasselblad raw file (3FR)",
    "phase one": "a Phase One raw file (IIQ)",
    "kodak": "a Kodak raw file",
    "epson": "an Epson raw file (ERF)",
}
_COMPRESSIONS = {
    34712: "JPEG 2000",
    34892: "lossy JPEG (DNG)",
    50002: "JPEG XL",
    52546: "JPEG XL",
    34887: "LERC",
    34677: "SGI log",
}

Tags = Mapping[int, tuple[int | float | bytes, ...]]


def explain(data: bytes, error: BaseException) -> str | None:
    """Why an intact file of a supported container can't be read, with what to do; None where nothing is known."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return raw_file(data, 0) or _tiff(directory(data))
    if data[4:8] == b"ftyp" and any(word in str(error).lower() for word in ("conversion", "reformat", "unsupported", "matrix")):
        reason = " ".join(str(error).split())[:100]
        return f"The colours of the image are coded in a way that Imagewatch does not read ({reason}). {_SAVE}"
    return None


def raw_file(data: bytes, pixels: int) -> str | None:
    """A sentence for a TIFF that keeps a camera's sensor data, or a far larger picture, behind a preview of so many pixels."""
    main = directory(data)
    others = [directory(data, int(offset)) for offset in main.get(SUB_DIRECTORIES, ()) if isinstance(offset, int)]
    if not any(first(tags, PHOTOMETRIC) in (_CFA, _LINEAR_RAW) for tags in (main, *others)):
        largest = max((first(tags, WIDTH) * first(tags, HEIGHT) for tags in others), default=0)
        if not pixels or largest < 4 * pixels:
            return None
    make = b"".join(part for part in main.get(MAKE, ()) if isinstance(part, bytes)).decode("latin-1").lower()
    maker = next((name for word, name in _MAKERS.items() if word in make), "a camera's raw file")
    name = "an Adobe raw file (DNG)" if DNG_VERSION in main else maker
    return f"It is {name}: its first picture is only a preview. Export it as JPEG or TIFF."


def directory(data: bytes, offset: int | None = None) -> Tags:
    """The tags of one TIFF directory, the first by default. What can't be read is left out."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2], "<")
    found: dict[int, tuple[int | float | bytes, ...]] = {}
    try:
        at = struct.unpack_from(f"{order}I", data, 4)[0] if offset is None else offset
        (entries,) = struct.unpack_from(f"{order}H", data, at)
        for number in range(min(entries, _MAX_ENTRIES)):
            tag, kind, count = struct.unpack_from(f"{order}HHI", data, at + 2 + 12 * number)
            if kind not in _TYPES or count > 65_536:
                continue
            form = f"{order}{count}{_TYPES[kind]}"
            value = at + 10 + 12 * number
            start = value if struct.calcsize(form) <= 4 else struct.unpack_from(f"{order}I", data, value)[0]
            found[tag] = struct.unpack_from(form, data, start)
    except struct.error:
        return found
    return found


def first(tags: Tags, tag: int) -> int:
    """A tag's first value as a whole number; 0 where it is missing or no number."""
    value = next(iter(tags.get(tag, ())), 0)
    return int(value) if isinstance(value, int) else 0


def _jpeg(data: bytes) -> str | None:
    for marker, start, _ in segments(data):
        number = marker - 0xC0
        if 0 <= number <= 15 and number not in (4, 8, 12):
            bits = data[start] if start < len(data) else 8
            if number in _JPEG_KINDS:
                return f"It is a {_JPEG_KINDS[number]} JPEG, which Imagewatch does not read. {_SAVE}"
            return f"It is a JPEG of {bits} bits per channel, which Imagewatch does not read. {_SAVE}" if bits != 8 else None
    return None


def _tiff(tags: Tags) -> str | None:
    if PHOTOMETRIC not in tags and BITS not in tags:
        return None
    kind = {2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}.get(first(tags, SAMPLE_FORMAT), "")
    bits, samples = first(tags, BITS) or 1, first(tags, SAMPLES) or 1
    packed = _COMPRESSIONS.get(first(tags, COMPRESSION))
    how = f", compressed as {packed}" if packed else ""
    channels = "1 channel" if samples == 1 else f"{samples} channels"
    if not kind and not packed and bits in (1, 8) and samples in (1, 3, 4):
        return None
    return f"It is a TIFF of {channels} with {kind}samples of {bits} bits{how}, which Imagewatch does not read. {_SAVE}"
