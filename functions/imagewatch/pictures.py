"""What a file's bytes are: which image format, whether it decodes, what Rekognition must be given, and a thumbnail.

Decided by content, never by name. Source of Rekognition's limits: its developer guide ("Guidelines and quotas").
"""

from __future__ import annotations

import codecs
import hashlib
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import pi_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from imagewatch.errors import ImageRejected

MIN_SIDE = 80  # pixels, Rekognition's smallest image
MAX_SIDE = 10_000  # pixels, Rekognition's largest image
MAX_ANALYSIS_BYTES = 15 * 1024 * 1024  # what Rekognition reads from S3
MAX_FILE_BYTES = 100 * 1024 * 1024  # what a function's memory can hold beside the decoded image
# What a function of 1,769 MB can decode, measured: most formats take up to 12 bytes a pixel on their way to a thumbnail, WebP and
# AVIF 18. A JPEG is decoded at a fraction of its size and so may be larger, unless it is progressive: that is held whole.
MAX_PIXELS = {"JPEG": 250_000_000, "progressive JPEG": 120_000_000, "WebP": 80_000_000, "AVIF": 80_000_000, "HEIC": 80_000_000}
MAX_PIXELS_OTHERWISE = 120_000_000
MAX_TILE_PIXELS = 4096 * 4096  # of a TIFF; common are 256 x 256
COPY_SIDE = 4096  # longest side of a converted copy, pixels
THUMBNAIL_SIDE = 512  # longest side of a thumbnail, pixels

# Importing a plug-in is what registers it with Pillow; only these decoders ever meet an upload.
_FORMATS = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    GifImagePlugin.GifImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
    AvifImagePlugin.AvifImageFile.format,
    "HEIF",
)
_NAMES = {"MPO": "JPEG", "HEIF": "HEIC", "WEBP": "WebP"}
_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")  # AVIF and HEIC among the MP4s
ORIENTATION = 0x0112  # the EXIF tag that says how to turn the picture upright
_READABLE_BY_REKOGNITION = ("JPEG", "PNG")
_SIXTEEN_BIT_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
# Decoders meet hostile bytes and fail in their own ways; each of these means "this file does not decode".
_UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
    Image.DecompressionBombError,
)

pi_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # our own limits know the format, and refuse with a sentence
ImageFile.LOAD_TRUNCATED_IMAGES = False


@dataclass(frozen=True)
class Picture:
    """What validation learned. Width and height are pixels of the upright image."""

    format: str
    width: int
    height: int
    sha256: str
    thumbnail: bytes
    """JPEG without metadata."""
    converted: bytes | None
    """A JPEG for Rekognition where it could not read the original, else None."""
    conversion: str | None
    """Why there is a converted copy, as a sentence."""


def refuse_size(size: int) -> None:
    """Raises ImageRejected for a file (bytes) that is not worth reading: empty, or too large to decode."""
    if size == 0:
        raise ImageRejected("The file is empty.")
    if size > MAX_FILE_BYTES:
        raise ImageRejected(
            f"The file is {_megabytes(size)}; Imagewatch reads files up to {_megabytes(MAX_FILE_BYTES)}. Send a smaller copy."
        )


def examine(data: bytes) -> Picture:
    """Reads one image file completely. Raises ImageRejected with a reason that tells its owner what to do."""
    refuse_size(len(data))
    with _opened(data) as image:
        name = _NAMES.get(str(image.format), str(image.format))
        _refuse_dimensions(image, name)
        with _decoding(name):
            _refuse_tiles(image)
        full_size = image.size
        with _decoding(name):
            why = _why_convert(image, name, data)
        if why is None and name == "JPEG":
            # A JPEG can be decoded at a half, a quarter or an eighth: all bytes are read, a fraction of the memory is used.
            image.draft("RGB", (2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
        elif name == "JPEG":
            image.draft(None, (COPY_SIDE, COPY_SIDE))
        with _decoding(name):
            # A drafted JPEG reports the size that it was decoded at; whether it is to be turned shows in its EXIF.
            turned = name == "JPEG" and image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
            ImageOps.exif_transpose(image, in_place=True)
            upright = _flattened(image)
            width, height = (full_size[::-1] if turned else full_size) if name == "JPEG" else upright.size
            return Picture(
                format=name,
                width=width,
                height=height,
                sha256=hashlib.sha256(data).hexdigest(),
                thumbnail=_jpeg(upright, THUMBNAIL_SIDE, quality=80),
                converted=_copy_for_rekognition(upright) if why else None,
                conversion=f"A JPEG copy was analysed: {why}." if why else None,
            )


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except _UNDECODABLE as error:
        kind = _other_kind(data)
        what = f"It is {kind}, not an image" if kind else "This is not an image that can be read, or it is damaged from the start"
        raise ImageRejected(f"{what}. Readable are JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF and BMP.") from error
    with image:
        yield image


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    try:
        yield
    except _UNDECODABLE as error:
        raise ImageRejected(
            f"The {name} file is damaged or incomplete and can't be decoded ({_brief(error)}). Upload it again from the original."
        ) from error


def _refuse_dimensions(image: Image.Image, name: str) -> None:
    width, height = image.size
    kind = "progressive JPEG" if name == "JPEG" and image.info.get("progressive") else name
    limit = MAX_PIXELS.get(kind, MAX_PIXELS_OTHERWISE)
    if width * height > limit:
        raise ImageRejected(
            f"The image says that it is {width} x {height} pixels; {limit // 1_000_000} million in all are the most for {kind}."
            " Send a smaller copy."
        )
    if min(width, height) < MIN_SIDE:
        raise ImageRejected(
            f"The image is {width} x {height} pixels; both sides must have at least {MIN_SIDE} for anything to be recognised."
        )


def _refuse_tiles(image: Image.Image) -> None:
    """A TIFF can declare tiles far larger than its picture, and they are decoded whole."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    width, height = tags.get(TiffImagePlugin.TILEWIDTH, 0), tags.get(TiffImagePlugin.TILELENGTH, 0)
    if width * height > max(image.width * image.height, MAX_TILE_PIXELS):
        raise ImageRejected(f"The TIFF is cut into tiles of {width} x {height} pixels, which is more than its picture has.")


def _why_convert(image: Image.Image, name: str, data: bytes) -> str | None:
    if name not in _READABLE_BY_REKOGNITION:
        return f"Rekognition does not read {name}"
    if image.mode == "CMYK":
        return "Rekognition expects RGB and this image is in the colours of print (CMYK)"
    if image.mode in _SIXTEEN_BIT_MODES or (name == "PNG" and data[24] == 16):
        return "Rekognition expects 8 bits per channel and this image has 16"
    if name != "JPEG" and image.getexif().get(ORIENTATION) in range(2, 9):
        return f"the original is turned by its EXIF orientation, which Rekognition heeds in JPEG and not in {name}"
    if max(image.size) > MAX_SIDE:
        return f"the original has {image.width} x {image.height} pixels and Rekognition reads {MAX_SIDE} on a side"
    if len(data) > MAX_ANALYSIS_BYTES:
        return f"the original has {_megabytes(len(data))} and Rekognition reads {_megabytes(MAX_ANALYSIS_BYTES)}"
    return None


def _flattened(image: Image.Image) -> Image.Image:
    """The first frame as 8-bit RGB, with transparency on white. Makes few copies: each can be as large as the decoded image."""
    image.load()
    if image.mode in _SIXTEEN_BIT_MODES:
        image = _eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """A greyscale image of 16 or 32 bits, scaled from its own darkest to its own brightest value."""
    image = image.convert("F")
    low, high = cast(tuple[float, float], image.getextrema())
    scale = 255.0 / ((high - low) or 1.0)
    return image.point(lambda value: value * scale - low * scale).convert("L")


def _copy_for_rekognition(upright: Image.Image) -> bytes:
    longest, shortest = max(upright.size), min(upright.size)
    # A long strip is shrunk less, so that its short side stays as long as Rekognition needs it.
    side = max(COPY_SIDE, math.ceil(MIN_SIDE * longest / shortest))
    if side > MAX_SIDE:
        raise ImageRejected(
            f"The image is {longest} pixels long and only {shortest} wide: shrunk to the {MAX_SIDE} that Rekognition reads,"
            f" it would be narrower than {MIN_SIDE}. Cut it into pieces."
        )
    for quality in (92, 75, 40):
        copy = _jpeg(upright, side, quality)
        if len(copy) <= MAX_ANALYSIS_BYTES:
            return copy
    raise ImageRejected("The image stays above 15 MB however it is compressed. Send a smaller copy.")


def _jpeg(image: Image.Image, side: int, quality: int) -> bytes:
    """The image, shrunk to at most `side` pixels on its longest side, as a JPEG without any metadata."""
    copy = image
    if max(image.size) > side:
        scale = side / max(image.size)
        copy = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), reducing_gap=2.0)
    buffer = io.BytesIO()
    # Comments would be carried over from the original; they are metadata too.
    copy.save(buffer, "JPEG", quality=quality, exif=b"", icc_profile=None, comment=b"", xmp=b"")
    return buffer.getvalue()


def _other_kind(data: bytes) -> str | None:
    """What a file that is no image looks like, for the reason's sake."""
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


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _megabytes(size: int) -> str:
    return f"{size / (1024 * 1024):.3g} MB"
