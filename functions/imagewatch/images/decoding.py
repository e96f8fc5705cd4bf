"""What a file's bytes are: which image format, whether it decodes, and what is made of it. Decided by content, never by name."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
from imagewatch.images import renditions as copies
from imagewatch.images.file_formats import other_kind
from imagewatch.images.renditions import COPY_SIDE, MIN_SIDE, ORIENTATION, THUMBNAIL_SIDE, megabytes

MAX_FILE_BYTES = 100 * 1024 * 1024  # what a function's memory can hold beside the decoded image
# What a function of 1,769 MB can decode, measured: most formats take up to 12 bytes a pixel on their way to a thumbnail, WebP and
# AVIF 18. A JPEG is decoded at a fraction of its size and so may be larger, unless it is progressive: that is held whole.
MAX_PIXELS = {"JPEG": 250_000_000, "progressive JPEG": 120_000_000, "WebP": 80_000_000, "AVIF": 80_000_000, "HEIC": 80_000_000}
MAX_PIXELS_OTHERWISE = 120_000_000
MAX_TILE_PIXELS = 4096 * 4096  # of a TIFF; common are 256 x 256

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
            f"The file is {megabytes(size)}; Imagewatch reads files up to {megabytes(MAX_FILE_BYTES)}. Send a smaller copy."
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
            why = copies.why_convert(image, name, data)
        if why is None and name == "JPEG":
            # A JPEG can be decoded at a half, a quarter or an eighth: all bytes are read, a fraction of the memory is used.
            image.draft("RGB", (2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
        elif name == "JPEG":
            image.draft(None, (COPY_SIDE, COPY_SIDE))
        with _decoding(name):
            # A drafted JPEG reports the size that it was decoded at; whether it is to be turned shows in its EXIF.
            turned = name == "JPEG" and image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
            ImageOps.exif_transpose(image, in_place=True)
            upright = copies.flattened(image)
            width, height = (full_size[::-1] if turned else full_size) if name == "JPEG" else upright.size
            return Picture(
                format=name,
                width=width,
                height=height,
                sha256=hashlib.sha256(data).hexdigest(),
                thumbnail=copies.jpeg(upright, THUMBNAIL_SIDE, quality=80),
                converted=copies.for_rekognition(upright) if why else None,
                conversion=f"A JPEG copy was analysed: {why}." if why else None,
            )


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except _UNDECODABLE as error:
        kind = other_kind(data)
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


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
