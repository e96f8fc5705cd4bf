"""Checks that Rekognition would accept an image, by its content, and decodes it upright.

Limits (Amazon Rekognition's guidelines and quotas): JPEG and PNG; 5,242,880 bytes inline, 15 MB from S3; 80 to 10,000 px a side.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from local.emulator.rekognition.errors import ImageTooLarge, InvalidImageFormat, InvalidParameter

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_INLINE_BYTES = 5_242_880
MAX_S3_BYTES = 15_728_640
MIN_SIDE = 80
MAX_SIDE = 10_000

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"


def open_picture(content: bytes, max_bytes: int) -> Image:
    """Checks size, format and sides from the header, without decoding.

    Raises ImageTooLarge, InvalidImageFormat or InvalidParameter (a side below 80 px).
    """
    if len(content) > max_bytes:
        raise ImageTooLarge(f"Image size is too large: {len(content):,} bytes; the limit is {max_bytes:,} bytes.")
    picture = _read_header(content)
    width, height = picture.size
    if max(width, height) > MAX_SIDE:
        raise ImageTooLarge(f"Image dimensions {width} x {height} are too large; the limit is {MAX_SIDE:,} pixels a side.")
    if min(width, height) < MIN_SIDE:
        raise InvalidParameter(f"Image dimensions {width} x {height} are too small; the minimum is {MIN_SIDE} pixels a side.")
    return picture


def _read_header(content: bytes) -> Image:
    # The plugins are used directly: Image.open would warn about 10,000 x 10,000 pixels, which Rekognition accepts.
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    if content.startswith(JPEG_START):
        plugin: type[Image] = JpegImageFile
    elif content.startswith(PNG_START):
        plugin = PngImageFile
    else:
        raise InvalidImageFormat("Request has invalid image format: only JPEG and PNG are read.")
    try:
        return plugin(io.BytesIO(content))  # type: ignore[call-arg]
    except (SyntaxError, OSError, ValueError) as error:
        raise InvalidImageFormat(f"Request has invalid image format: {error}") from error


def decode_upright(picture: Image, long_side: int) -> Image:
    """Decodes to RGB, at most `long_side` pixels long, with the EXIF orientation applied.

    Boxes as ratios don't depend on the scale, so a large JPEG is decoded at a fraction of its size.
    Raises InvalidImageFormat when the picture is truncated or broken.
    """
    from PIL import ImageOps

    scale = long_side / max(picture.size)
    try:
        picture.draft("RGB", (round(picture.width * scale), round(picture.height * scale)))
        picture.load()
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        raise InvalidImageFormat(f"Request has invalid image format: {error}") from error
    image = _as_rgb(picture)
    image.thumbnail((long_side, long_side))
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError):
        return image  # unreadable EXIF has no orientation, but the pixels are intact


def _as_rgb(picture: Image) -> Image:
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits a sample: Pillow's own conversion would clip instead of scaling
        import numpy as np

        image = Image.fromarray((np.asarray(picture).astype("uint32") >> 8).astype("uint8")).convert("RGB")
        image.info = picture.info
        return image
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
        image.info = {key: value for key, value in picture.info.items() if key != "transparency"}
        return image
    return picture if picture.mode == "RGB" else picture.convert("RGB")
