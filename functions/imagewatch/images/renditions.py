"""What is made of a decoded image: a copy where Rekognition couldn't read the original, and a thumbnail. Neither has metadata.

Source of Rekognition's limits: its developer guide ("Guidelines and quotas").
"""

from __future__ import annotations

import io
import math
from typing import cast

from PIL import Image

from imagewatch.errors import ImageRejected

MIN_SIDE = 80  # pixels, Rekognition's smallest image
MAX_SIDE = 10_000  # pixels, Rekognition's largest image
MAX_ANALYSIS_BYTES = 15 * 1024 * 1024  # what Rekognition reads from S3
COPY_SIDE = 4096  # longest side of a converted copy, pixels
THUMBNAIL_SIDE = 512  # longest side of a thumbnail, pixels
ORIENTATION = 0x0112  # the EXIF tag that says how to turn the picture upright

_READABLE_BY_REKOGNITION = ("JPEG", "PNG")
_SIXTEEN_BIT_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def why_convert(image: Image.Image, name: str, data: bytes) -> str | None:
    """What keeps Rekognition from reading this file as it is, as the end of a sentence; None where nothing does."""
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
        return f"the original has {megabytes(len(data))} and Rekognition reads {megabytes(MAX_ANALYSIS_BYTES)}"
    return None


def flattened(image: Image.Image) -> Image.Image:
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


def for_rekognition(upright: Image.Image) -> bytes:
    """A JPEG within Rekognition's limits. Raises ImageRejected for a strip too narrow for any, or noise too large for any."""
    longest, shortest = max(upright.size), min(upright.size)
    # A long strip is shrunk less, so that its short side stays as long as Rekognition needs it.
    side = max(COPY_SIDE, math.ceil(MIN_SIDE * longest / shortest))
    if side > MAX_SIDE:
        raise ImageRejected(
            f"The image is {longest} pixels long and only {shortest} wide: shrunk to the {MAX_SIDE} that Rekognition reads,"
            f" it would be narrower than {MIN_SIDE}. Cut it into pieces."
        )
    for quality in (92, 75, 40):
        copy = jpeg(upright, side, quality)
        if len(copy) <= MAX_ANALYSIS_BYTES:
            return copy
    raise ImageRejected("The image stays above 15 MB however it is compressed. Send a smaller copy.")


def jpeg(image: Image.Image, side: int, quality: int) -> bytes:
    """The image, shrunk to at most `side` pixels on its longest side, as a JPEG without any metadata."""
    copy = image
    if max(image.size) > side:
        scale = side / max(image.size)
        copy = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), reducing_gap=2.0)
    buffer = io.BytesIO()
    # Comments would be carried over from the original; they are metadata too.
    copy.save(buffer, "JPEG", quality=quality, exif=b"", icc_profile=None, comment=b"", xmp=b"")
    return buffer.getvalue()


def megabytes(size: int) -> str:
    """Bytes, as people say them."""
    return f"{size / (1024 * 1024):.3g} MB"
