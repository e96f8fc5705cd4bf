"""Renditions of a decoded image: a copy where Rekognition can't read the original, and a thumbnail. Both are plain sRGB.

Source of Rekognition's limits: its developer guide ("Guidelines and quotas").
"""

from __future__ import annotations

import io
import math
from typing import cast

from PIL import Image, ImageChops, ImageStat

from imagewatch.errors import ImageRejected

MIN_SIDE = 80  # pixels, Rekognition's smallest image
MAX_SIDE = 10_000  # pixels, Rekognition's largest image
MAX_ANALYSIS_BYTES = 15 * 1024 * 1024  # what Rekognition reads from S3
COPY_SIDE = 4096  # longest side of a converted copy, pixels
THUMBNAIL_SIDE = 512  # longest side of a thumbnail, pixels
MAX_COLOUR_SHIFT = 12.0
"""Mean difference (of 255) that a colour profile may make before a copy is analysed. Display P3 photographs stay below it."""

_READABLE_BY_REKOGNITION = ("JPEG", "PNG")
_SIXTEEN_BIT_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_TRANSPARENT_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
_PROFILE_MODES = {"RGB": "RGB", "CMYK": "CMYK", "GRAY": "L"}


def why_convert(image: Image.Image, name: str, data: bytes, turned: int, regular_turn: int) -> str | None:
    """What keeps Rekognition from reading this file as it is, as the end of a sentence; None where nothing does.

    `turned` is the orientation that the file states anywhere, `regular_turn` the one that every JPEG reader sees (1 for others).
    """
    if name not in _READABLE_BY_REKOGNITION:
        return f"Rekognition does not read {name}"
    if image.mode == "CMYK":
        return "Rekognition expects RGB and this image is in the colours of print (CMYK)"
    if image.mode in _SIXTEEN_BIT_MODES or (name == "PNG" and data[24] == 16):
        return "Rekognition expects 8 bits per channel and this image has 16"
    if name != "JPEG" and turned != 1:
        return f"the original is turned by its EXIF orientation, which Rekognition reads in JPEG and not in {name}"
    if name == "JPEG" and turned != regular_turn:
        return "the original is turned by an orientation that only some programs read (XMP, or an irregular EXIF entry)"
    if max(image.size) > MAX_SIDE:
        return f"the original has {image.width} x {image.height} pixels and Rekognition reads {MAX_SIDE} on a side"
    if len(data) > MAX_ANALYSIS_BYTES:
        has, reads = sizes_apart(len(data), MAX_ANALYSIS_BYTES)
        return f"the original has {has} and Rekognition reads {reads}"
    return None


def flattened(image: Image.Image, profile: bytes | None = None, *, white_is_zero: bool = False) -> Image.Image:
    """The frame with 8 bits per channel and transparency on white. It is RGB, or the mode that its colour profile describes.

    Makes few copies: each can be as large as the decoded image.
    """
    image.load()
    if image.mode in _SIXTEEN_BIT_MODES:
        image = _eight_bit(image)
        image = ImageChops.invert(image) if white_is_zero else image
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    if image.mode == "RGB" or (profile and image.mode in ("CMYK", "L")):
        return image
    return _from_lab(image) if image.mode == "LAB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """A greyscale image of 16 or 32 bits, scaled from its own darkest to its own brightest value."""
    image = image.convert("F")
    low, high = cast(tuple[float, float], image.getextrema())
    scale = 255.0 / ((high - low) or 1.0)
    return image.point(lambda value: value * scale - low * scale).convert("L")


def for_rekognition(upright: Image.Image, profile: bytes | None = None) -> bytes:
    """A JPEG within Rekognition's limits. Raises ImageRejected for a strip too narrow for any, or noise too large for any."""
    longest, shortest = max(upright.size), min(upright.size)
    # A long strip is shrunk less, so that its short side stays as long as Rekognition needs it.
    side = max(COPY_SIDE, math.ceil(MIN_SIDE * longest / shortest))
    if side > MAX_SIDE:
        raise ImageRejected(
            f"The image is {longest} pixels long and only {shortest} wide: shrunk to the {MAX_SIDE} that Rekognition reads,"
            f" it would be narrower than {MIN_SIDE}. Cut it into pieces."
        )
    copy = to_srgb(shrunk(upright, side), profile)
    for quality in (92, 75, 40):
        data = jpeg(copy, quality)
        if len(data) <= MAX_ANALYSIS_BYTES:
            return data
    raise ImageRejected("The image stays above 15 MB however it is compressed. Send a smaller copy.")


def thumbnail(upright: Image.Image, profile: bytes | None = None) -> tuple[bytes, float]:
    """A JPEG of at most THUMBNAIL_SIDE pixels, and by how much (mean of 255) its colour profile changed it."""
    small = shrunk(upright, THUMBNAIL_SIDE)
    converted = to_srgb(small, profile)
    return jpeg(converted, 80), _difference(converted, small.convert("RGB")) if profile else 0.0


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """The image with at most `side` pixels on its longest side. The same object where it is small enough."""
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), reducing_gap=2.0)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image as RGB in the sRGB colour space. A profile that is damaged, or describes another mode, is ignored."""
    if profile:
        from PIL import ImageCms  # loads LittleCMS, which most images don't need

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if _PROFILE_MODES.get(source.profile.xcolor_space.strip()) == image.mode:
                target = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
            return image.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def jpeg(image: Image.Image, quality: int) -> bytes:
    """The image as a JPEG without any metadata."""
    buffer = io.BytesIO()
    # Comments would be carried over from the original; they are metadata too.
    image.save(buffer, "JPEG", quality=quality, exif=b"", icc_profile=None, comment=b"", xmp=b"")
    return buffer.getvalue()


def megabytes(size: int) -> str:
    """Bytes as people write them: "0.4 MB", "15 MB", "5,120 MB"."""
    amount = size / (1024 * 1024)
    return f"{amount:,.0f} MB" if amount >= 10 else f"{amount:.1f} MB" if amount >= 0.1 else f"{size:,} bytes"


def sizes_apart(size: int, limit: int) -> tuple[str, str]:
    """Both sizes in words that differ, so that a reader sees which is larger."""
    if megabytes(size) != megabytes(limit):
        return megabytes(size), megabytes(limit)
    return f"{size:,} bytes", f"{limit:,} bytes ({megabytes(limit)})"


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image


def _difference(one: Image.Image, other: Image.Image) -> float:
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3)
