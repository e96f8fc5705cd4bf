"""Decodes an uploaded file: its format, whether its pixels decode, and its renditions. Content decides, never the file name."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pi_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from imagewatch.errors import ImageRejected
from imagewatch.images import exif_time, metadata, renditions, unsupported_content
from imagewatch.images.exif_time import ExifTime
from imagewatch.images.file_formats import MAX_FILE_BYTES, SUPPORTED, file_kind
from imagewatch.images.renditions import COPY_SIDE, MAX_COLOUR_SHIFT, MIN_SIDE, THUMBNAIL_SIDE, sizes_apart

# What a function of 1,769 MB can decode, measured: most formats take up to 12 bytes a pixel on their way to a thumbnail, WebP and
# AVIF 18. A JPEG is decoded at a fraction of its size and so may be larger, unless it is progressive: that is held whole.
MAX_PIXELS = {"JPEG": 250_000_000, "progressive JPEG": 120_000_000, "WebP": 80_000_000, "AVIF": 80_000_000, "HEIC": 80_000_000}
MAX_PIXELS_OTHERWISE = 120_000_000
MAX_TILE_PIXELS = 4096 * 4096  # of a TIFF; common are 256 x 256
MAX_PAGES = 100  # of a TIFF, that are looked at for its largest picture

# Importing a plug-in registers it with Pillow. Uploads meet only these decoders.
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
# Decoders that meet hostile bytes raise any of these; each means that the file does not decode.
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

# (signature, offset, name) of the supported formats, for a message about a file that does not decode.
_CONTAINERS = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"WEBP", 8, "WebP"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"GIF8", 0, "GIF"),
    (b"BM", 0, "BMP"),
    (b"ftypavi", 4, "AVIF"),
    (b"ftyphe", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIC or AVIF"),
)

pi_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # the limits above depend on the format, and their message names it
ImageFile.LOAD_TRUNCATED_IMAGES = False


@dataclass(frozen=True)
class Picture:
    """The result of validation. Width and height are pixels of the upright image."""

    format: str
    width: int
    height: int
    sha256: str
    thumbnail: bytes
    """JPEG, sRGB, without metadata."""
    converted: bytes | None
    """A JPEG for Rekognition where it could not read the original, else None."""
    conversion: str | None
    """Why there is a converted copy, as a sentence."""
    frames: int = 1
    """How many pictures the file holds: frames of an animation, pages of a TIFF."""
    frame: int = 1
    """Which of them was analysed, counted from 1."""
    taken: ExifTime | None = None
    """When its camera says that it was taken."""

    @property
    def coverage(self) -> str | None:
        """A sentence on what was analysed, where that is not the whole file."""
        if self.frames == 1:
            return None
        which = "the first" if self.frame == 1 else f"number {self.frame}, the largest,"
        return f"Only {which} of {self.frames:,} pictures in the file was analysed."


class _Undecodable(Exception):
    """The file, read in this way, does not decode. Its cause is the decoder's error."""


def refuse_size(size: int) -> None:
    """Raises ImageRejected for a file (bytes) that is not worth reading: empty, or too large to decode."""
    if size == 0:
        raise ImageRejected("The file is empty.")
    if size > MAX_FILE_BYTES:
        has, limit = sizes_apart(size, MAX_FILE_BYTES)
        raise ImageRejected(f"The file has {has}; Imagewatch reads files up to {limit}. Send a smaller copy.")


def examine(data: bytes) -> Picture:
    """Reads one image file completely. Raises ImageRejected with a reason that says what to do.

    A file whose metadata keeps it from decoding is read again without them, and a clean copy is analysed.
    """
    refuse_size(len(data))
    try:
        return _examine(data)
    except _Undecodable as failure:
        bare = metadata.without_metadata(data)
        if bare and len(bare) < len(data):
            try:
                return replace(_examine(bare, "the metadata of the original are damaged"), sha256=_sha256(data))
            except _Undecodable:
                pass  # the pixels are damaged too: the first failure says more
        raise _rejection(data, failure) from failure.__cause__


def _examine(data: bytes, why: str | None = None) -> Picture:
    """As `examine`; `why` demands a converted copy and says why. Raises _Undecodable where no decoder reads the bytes."""
    with _opened(data) as image:
        name = _NAMES.get(str(image.format), str(image.format))
        frames = metadata.frame_count(image)
        with _decoding():
            frame = _largest_page(image, frames) if name == "TIFF" else 1
        _refuse_dimensions(image, name)
        if name == "TIFF":
            _refuse_tiles(image)
            if raw := unsupported_content.raw_file(data, image.width * image.height):
                raise ImageRejected(raw)
        full_size, profile = image.size, metadata.icc_profile(image)
        with _decoding():
            turned = 1 if name == "TIFF" else metadata.orientation(image)  # Pillow turns a TIFF itself when it loads it
            taken = exif_time.of(image)
            regular = metadata.regular_exif_orientation(data) if name == "JPEG" else 1
            why = why or renditions.why_convert(image, name, data, turned, regular)
            if name == "JPEG":
                # A JPEG decodes at a half, a quarter or an eighth too: all bytes are read, a fraction of the memory is used.
                side = COPY_SIDE if why else 2 * THUMBNAIL_SIDE
                image.draft(None, (side, side))
            negative = name == "TIFF" and unsupported_content.first(unsupported_content.directory(data), 262) == 0
            upright = metadata.upright(renditions.flattened(image, profile, white_is_zero=negative), turned)
            thumbnail, shift = renditions.thumbnail(upright, profile)
            if why is None and shift > MAX_COLOUR_SHIFT:
                return _examine(data, "the original has a colour profile that Rekognition does not apply")
            # A JPEG is decoded at a fraction of its size.
            width, height = upright.size
            if name == "JPEG":
                width, height = full_size[::-1] if metadata.swaps_sides(turned) else full_size
            return Picture(
                format=name,
                width=width,
                height=height,
                sha256=_sha256(data),
                thumbnail=thumbnail,
                converted=renditions.for_rekognition(upright, profile) if why else None,
                conversion=f"A JPEG copy was analysed: {why}." if why else None,
                frames=frames,
                frame=frame,
                taken=taken,
            )


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except _UNDECODABLE as error:
        raise _Undecodable from error
    with image:
        yield image


@contextmanager
def _decoding() -> Iterator[None]:
    try:
        yield
    except _UNDECODABLE as error:
        raise _Undecodable from error


def _rejection(data: bytes, failure: _Undecodable) -> ImageRejected:
    """The reason for a file that no decoder reads: its unsupported content, its damage, or its kind, whichever is known."""
    cause = failure.__cause__ or failure
    if explained := unsupported_content.explain(data, cause):
        return ImageRejected(explained)
    for signature, offset, name in _CONTAINERS:
        if data.startswith(signature, offset) and not isinstance(cause, UnidentifiedImageError):
            damage = f"The {name} file is damaged or incomplete and can't be decoded ({_brief(cause)})."
            return ImageRejected(f"{damage} Upload it again from the original.")
    if kind := file_kind(data):
        return ImageRejected(kind.sentence())
    return ImageRejected(f"This is not an image that can be read, or it is damaged from the start. {SUPPORTED}")


def _largest_page(image: Image.Image, frames: int) -> int:
    """Moves a TIFF to its largest picture where the first is only a preview of it; returns that page, counted from 1."""
    sizes = []
    for page in range(min(frames, MAX_PAGES)):
        image.seek(page)
        sizes.append(image.width * image.height)
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    chosen = largest if sizes[largest] >= 4 * sizes[0] else 0
    if frames > 1:
        image.seek(chosen)
    return chosen + 1


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
    """A TIFF can declare tiles far larger than its picture, and each is decoded whole."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    width, height = tags.get(TiffImagePlugin.TILEWIDTH, 0), tags.get(TiffImagePlugin.TILELENGTH, 0)
    if width * height > max(image.width * image.height, MAX_TILE_PIXELS):
        raise ImageRejected(f"The TIFF is cut into tiles of {width} x {height} pixels, which is more than its picture has.")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
