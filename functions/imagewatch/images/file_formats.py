"""Names file formats that Imagewatch does not read, by their first bytes, so that a rejection can name them and say what to do.

Sources of the signatures: the formats' own specifications, and the magic numbers of libmagic and of the IANA media types.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

SUPPORTED = "Supported formats: JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF and BMP."

MAX_FILE_BYTES = 100 * 1024 * 1024
"""The largest file: what the memory of a function can hold beside the decoded image."""

AVIF_BRANDS = (b"avif", b"avis")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
HEIF_BRANDS = (*AVIF_BRANDS, *HEIC_BRANDS)
"""Brands in the `ftyp` box of images. MP4 has this box too, with other brands."""

_IMAGE = "an image format that Imagewatch does not read. Save it as JPEG or PNG"
_RAW = "a camera's raw file. Export it as JPEG or TIFF"
_VIDEO = "not an image. Send single frames"
_OTHER = "not an image"


@dataclass(frozen=True)
class FileKind:
    """What a file is: a name with its article, and what to do about it (the rest of the sentence)."""

    name: str
    advice: str = _OTHER

    def sentence(self) -> str:
        return f"It is {self.name}, {self.advice}. {SUPPORTED}"


# (offset, signature, kind). The first one that fits decides.
_SIGNATURES: tuple[tuple[int, bytes, FileKind], ...] = (
    (0, b"\xff\x0a", FileKind("a JPEG XL image", _IMAGE)),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", FileKind("a JPEG XL image", _IMAGE)),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", FileKind("a JPEG 2000 image", _IMAGE)),
    (0, b"\xff\x4f\xff\x51", FileKind("a JPEG 2000 codestream", _IMAGE)),
    (0, b"\xff\xd8\xff\xf7", FileKind("a JPEG-LS image", _IMAGE)),
    (0, b"II\xbc", FileKind("a JPEG XR image", _IMAGE)),
    (0, b"8BPS", FileKind("a Photoshop document (PSD)", _IMAGE)),
    (0, b"gimp xcf", FileKind("a GIMP image (XCF)", _IMAGE)),
    (0, b"\0\0\x01\0", FileKind("an icon (ICO)", _IMAGE)),
    (0, b"\0\0\x02\0", FileKind("a cursor (CUR)", _IMAGE)),
    (0, b"icns", FileKind("an icon (ICNS)", _IMAGE)),
    (0, b"\x76\x2f\x31\x01", FileKind("an OpenEXR image", _IMAGE)),
    (0, b"#?RADIANCE", FileKind("a Radiance HDR image", _IMAGE)),
    (0, b"#?RGBE", FileKind("a Radiance HDR image", _IMAGE)),
    (0, b"qoif", FileKind("a QOI image", _IMAGE)),
    (0, b"BPG\xfb", FileKind("a BPG image", _IMAGE)),
    (0, b"FLIF", FileKind("a FLIF image", _IMAGE)),
    (0, b"DDS ", FileKind("a DDS texture", _IMAGE)),
    (0, b"SIMPLE  =", FileKind("a FITS image", _IMAGE)),
    (0, b"AT&TFORM", FileKind("a DjVu document", _IMAGE)),
    (0, b"\x01\xda\x00", FileKind("an SGI image", _IMAGE)),
    (0, b"\x01\xda\x01", FileKind("an SGI image", _IMAGE)),
    (0, b"\x59\xa6\x6a\x95", FileKind("a Sun raster image", _IMAGE)),
    (0, b"\xd7\xcd\xc6\x9a", FileKind("a Windows metafile (WMF)", _IMAGE)),
    (40, b" EMF", FileKind("a Windows metafile (EMF)", _IMAGE)),
    (128, b"DICM", FileKind("a DICOM image", _IMAGE)),
    (8, b"CR\x02", FileKind("a Canon raw file (CR2)", _RAW)),
    (6, b"HEAPCCDR", FileKind("a Canon raw file (CRW)", _RAW)),
    (4, b"ftypcrx ", FileKind("a Canon raw file (CR3)", _RAW)),
    (0, b"FUJIFILMCCD-RAW", FileKind("a Fujifilm raw file (RAF)", _RAW)),
    (0, b"IIU\0", FileKind("a Panasonic raw file (RW2)", _RAW)),
    (0, b"IIRO", FileKind("an Olympus raw file (ORF)", _RAW)),
    (0, b"IIRS", FileKind("an Olympus raw file (ORF)", _RAW)),
    (0, b"MMOR", FileKind("an Olympus raw file (ORF)", _RAW)),
    (0, b"FOVb", FileKind("a Sigma raw file (X3F)", _RAW)),
    (0, b"\0MRM", FileKind("a Minolta raw file (MRW)", _RAW)),
    (8, b"AVI ", FileKind("an AVI video", _VIDEO)),
    (0, b"\x1aE\xdf\xa3", FileKind("a Matroska or WebM video", _VIDEO)),
    (0, b"FLV\x01", FileKind("a Flash video", _VIDEO)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", FileKind("a Windows Media file", _VIDEO)),
    (0, b"\0\0\x01\xba", FileKind("an MPEG video", _VIDEO)),
    (0, b"\0\0\x01\xb3", FileKind("an MPEG video", _VIDEO)),
    (4, b"moov", FileKind("a QuickTime video", _VIDEO)),
    (4, b"mdat", FileKind("a QuickTime video", _VIDEO)),
    (4, b"ftypqt  ", FileKind("a QuickTime video", _VIDEO)),
    (0, b"OggS", FileKind("an Ogg file", _VIDEO)),
    (8, b"WAVE", FileKind("a WAVE sound file")),
    (0, b"ID3", FileKind("an MP3 sound file")),
    (0, b"fLaC", FileKind("a FLAC sound file")),
    (0, b"%PDF", FileKind("a PDF document")),
    (0, b"%!PS", FileKind("a PostScript document")),
    (0, b"PK\x03\x04", FileKind("a ZIP archive")),
    (0, b"PK\x05\x06", FileKind("a ZIP archive")),
    (0, b"\x1f\x8b", FileKind("a gzip archive")),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind("a 7-Zip archive")),
    (0, b"Rar!\x1a\x07", FileKind("a RAR archive")),
    (0, b"BZh", FileKind("a bzip2 archive")),
    (0, b"\xfd7zXZ\0", FileKind("an xz archive")),
    (257, b"ustar", FileKind("a tar archive")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind("a Microsoft Office document")),
    (0, b"SQLite format 3\0", FileKind("a SQLite database")),
    (0, b"\x7fELF", FileKind("a program")),
    (0, b"MZ", FileKind("a program")),
)
_PORTABLE_MAP = re.compile(rb"P[1-7Ff][ \t\r\n]")


def file_kind(data: bytes) -> FileKind | None:
    """The kind of a file that no decoder opens; None where nothing is recognised. Reads its first 512 bytes."""
    head = data[:512]
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for offset, signature, kind in _SIGNATURES:
        if head.startswith(signature, offset) or (not offset and text.startswith(signature)):
            return kind
    if head[4:8] == b"ftyp" and head[8:12] not in HEIF_BRANDS:
        return FileKind("an MP4 video", _VIDEO)
    if _PORTABLE_MAP.match(head):
        return FileKind("a portable pixmap (PNM)", _IMAGE)
    if b"<svg" in head.lower():
        return FileKind("an SVG drawing")
    if text[:1] in (b"<", b"{", b"["):
        return FileKind("a text document")
    return FileKind("text") if _is_text(text) else None


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the end may cut a character
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c.isspace() for c in text)
