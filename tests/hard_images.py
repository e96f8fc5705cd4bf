"""Generates difficult images: every common format, every limit, malicious files, and files that are not images."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageDraw

from tests.unit.tiny_heic import heic

RED, WHITE = (200, 20, 20), (235, 235, 235)


ORIENTATION, GPS = 0x0112, 0x8825


def scene(width: int = 120, height: int = 90) -> Image.Image:
    """A white picture with a red upper left quarter, which shows its orientation."""
    image = Image.new("RGB", (width, height), WHITE)
    ImageDraw.Draw(image).rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str, **options: Any) -> bytes:
    later = [Image.new("RGB", (120, 90), colour) for colour in ("blue", "green")]
    return encoded(scene(), kind, save_all=True, append_images=later, **options)


def grey_16(kind: str) -> bytes:
    grey = scene().convert("L")
    wide = Image.frombytes("I;16", grey.size, b"".join(struct.pack("<H", value * 257) for value in grey.tobytes()))
    return encoded(wide, kind)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of a kind that Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def rgb_png_16() -> bytes:
    red, white = (struct.pack(">HHH", *(value * 257 for value in colour)) for colour in (RED, WHITE))
    return png(120, 90, 16, 2, b"".join(b"\0" + (red * 60 if y < 45 else white * 60) + white * 60 for y in range(90)))


def interlaced_png() -> bytes:
    """A grey 8-bit PNG with Adam7 interlacing."""
    grey = scene().convert("L")
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, 90, dy):
            rows += b"\0" + bytes(grey.getpixel((x, y)) for x in range(x0, 120, dx))  # type: ignore[misc]
    whole = bytearray(png(120, 90, 8, 0, rows))
    whole[28] = 1
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    return bytes(whole)


def see_through(mode: str) -> Image.Image:
    """The scene with everything but the red quarter transparent. Transparent pixels are black."""
    image = Image.new("RGBA", (120, 90), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 60, 45))
    return image.convert(mode)


def red_first(x: int, y: int) -> tuple[int, int, int]:
    return (73, 110, 215) if x < 2 and y < 2 else (235, 128, 128)


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG baseline": ("JPEG", lambda: encoded(scene(), "JPEG")),
    "JPEG progressive": ("JPEG", lambda: encoded(scene(), "JPEG", progressive=True)),
    "JPEG 4:4:4 optimized": ("JPEG", lambda: encoded(scene(), "JPEG", subsampling=0, optimize=True, quality=100)),
    "JPEG of a phone (MPO)": ("JPEG", lambda: animation("MPO")),
    "PNG": ("PNG", lambda: encoded(scene(), "PNG")),
    "PNG palette": ("PNG", lambda: encoded(scene().quantize(16), "PNG")),
    "PNG palette 1 bit": ("PNG", lambda: encoded(scene().quantize(2), "PNG", bits=1)),
    "PNG palette 2 bit": ("PNG", lambda: encoded(scene().quantize(4), "PNG", bits=2)),
    "PNG palette 4 bit": ("PNG", lambda: encoded(scene().quantize(16), "PNG", bits=4)),
    "PNG alpha": ("PNG", lambda: encoded(see_through("RGBA"), "PNG")),
    "PNG animated": ("PNG", lambda: animation("PNG")),
    "WebP lossy": ("WebP", lambda: encoded(scene(), "WEBP", quality=80)),
    "WebP lossless": ("WebP", lambda: encoded(scene(), "WEBP", lossless=True)),
    "WebP alpha": ("WebP", lambda: encoded(see_through("RGBA"), "WEBP", lossless=True)),
    "WebP animated": ("WebP", lambda: animation("WEBP")),
    "HEIC": ("HEIC", lambda: heic(4, 4, red_first)),
    "HEIC by its other brand": ("HEIC", lambda: heic(4, 4, red_first, brand=b"mif1")),
    "AVIF": ("AVIF", lambda: encoded(scene(), "AVIF", speed=10)),
    "AVIF alpha": ("AVIF", lambda: encoded(see_through("RGBA"), "AVIF", speed=10)),
    "AVIF animated": ("AVIF", lambda: animation("AVIF", speed=10)),
    "TIFF": ("TIFF", lambda: encoded(scene(), "TIFF")),
    "TIFF of many pages": ("TIFF", lambda: animation("TIFF")),
    "TIFF tiled": ("TIFF", lambda: tiled_tiff(64, 48)),
    "TIFF LZW": ("TIFF", lambda: encoded(scene(), "TIFF", compression="tiff_lzw")),
    "TIFF deflate": ("TIFF", lambda: encoded(scene(), "TIFF", compression="tiff_deflate")),
    "TIFF JPEG": ("TIFF", lambda: encoded(scene(), "TIFF", compression="jpeg")),
    "TIFF CMYK": ("TIFF", lambda: encoded(scene().convert("CMYK"), "TIFF")),
    "TIFF YCbCr": ("TIFF", lambda: encoded(scene().convert("YCbCr"), "TIFF")),
    "TIFF alpha": ("TIFF", lambda: encoded(see_through("RGBA"), "TIFF")),
    "GIF": ("GIF", lambda: encoded(scene(), "GIF")),
    "GIF transparent": ("GIF", lambda: encoded(see_through("RGBA"), "GIF")),
    "GIF animated": ("GIF", lambda: animation("GIF")),
    "BMP": ("BMP", lambda: encoded(scene(), "BMP")),
    "BMP palette": ("BMP", lambda: encoded(scene().quantize(16), "BMP")),
    "JPEG CMYK": ("JPEG", lambda: encoded(scene().convert("CMYK"), "JPEG")),
    "PNG 16 bit": ("PNG", rgb_png_16),
}


GREYS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG grey": ("JPEG", lambda: encoded(scene().convert("L"), "JPEG")),
    "PNG 1 bit": ("PNG", lambda: encoded(scene().convert("L").point(lambda v: 255 * (v > 128)).convert("1"), "PNG")),
    "PNG grey": ("PNG", lambda: encoded(scene().convert("L"), "PNG")),
    "PNG grey alpha": ("PNG", lambda: encoded(scene().convert("LA"), "PNG")),
    "PNG interlaced": ("PNG", interlaced_png),
    "PNG 16 bit grey": ("PNG", lambda: grey_16("PNG")),
    "TIFF 1 bit": (
        "TIFF",
        lambda: encoded(scene().convert("L").point(lambda v: 255 * (v > 128)).convert("1"), "TIFF", compression="group4"),
    ),
    "TIFF 16 bit": ("TIFF", lambda: grey_16("TIFF")),
    "TIFF 32 bit": ("TIFF", lambda: encoded(scene().convert("I"), "TIFF")),
    "TIFF float": ("TIFF", lambda: encoded(scene().convert("F").point(lambda v: v * 1e-4 - 3.0), "TIFF")),
}


def tiled_tiff(tile_width: int, tile_height: int, width: int = 120, height: int = 90) -> bytes:
    """A tiled RGB TIFF, which Pillow does not write. Tiles above 1,024 pixels are declared but empty."""
    image = scene(width, height)
    tiles = [
        zlib.compress(image.crop((x, y, x + tile_width, y + tile_height)).tobytes() if tile_width <= 1024 else b"")
        for y in range(0, height, tile_height)
        for x in range(0, width, tile_width)
    ]
    body, offsets = b"", []
    for tile in tiles:
        offsets.append(8 + len(body))
        body += tile
    arrays = 8 + len(body)
    body += (
        struct.pack(f"<{len(tiles)}I", *offsets) + struct.pack(f"<{len(tiles)}I", *map(len, tiles)) + struct.pack("<3H", 8, 8, 8)
    )
    many, counts = len(tiles), arrays + 4 * len(tiles)
    tags = [
        *(
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 3, counts + 4 * many),
            (259, 3, 1, 8),
            (262, 3, 1, 2),
            (277, 3, 1, 3),
        ),
        *((322, 4, 1, tile_width), (323, 4, 1, tile_height)),
        (324, 4, many, arrays if many > 1 else offsets[0]),
        (325, 4, many, counts if many > 1 else len(tiles[0])),
    ]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


# Where the upright scene's corners (upper left, upper right, lower left, lower right) are stored, for each EXIF orientation.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def tiff_header(width: int, height: int) -> bytes:
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
    ]
    tags += [(278, 4, 1, height), (279, 4, 1, 100)]
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(104)


def webp_header(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides + encoded(scene(), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def with_sides(data: bytes, box: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC whose `ispe` box declares false dimensions."""
    at = data.index(box) + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def jpeg_header(width: int, height: int, progressive: bool) -> bytes:
    data = encoded(scene(), "JPEG", progressive=progressive)
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


BOMBS = {
    "PNG": png(60_000, 60_000, 8, 2, b"\0" * 1000),
    "PNG beyond any memory": png(2**31 - 1, 2**31 - 1, 16, 6, b"\0" * 1000),
    "PNG palette": png(12_000, 12_000, 1, 3, b"\0" * 1000, (b"PLTE", bytes(6)), (b"tRNS", b"\0")),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + encoded(scene(), "GIF")[13:],
    "TIFF": tiff_header(60_000, 60_000),
    "BMP": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(1000),
    "BMP upside down": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, 60_000, -60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    + bytes(1000),
    "WebP": webp_header(16_384, 16_384),
    "AVIF": with_sides(encoded(scene(), "AVIF", speed=10), b"ispe", 60_000, 60_000),
    "HEIC": with_sides(heic(3, 3, red_first), b"ispe", 60_000, 60_000),
    "JPEG": jpeg_header(60_000, 60_000, progressive=False),
    "JPEG progressive": jpeg_header(11_000, 11_000, progressive=True),
}


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"<html>secret</html>" * 50)
    return buffer.getvalue()


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"


NO_IMAGES = {
    "PDF": (PDF, "It is a PDF document, not an image"),
    "PDF with a JPEG inside": (PDF + encoded(scene(), "JPEG"), "It is a PDF document, not an image"),
    "ZIP": (zipped("a.jpg"), "It is a ZIP archive, not an image"),
    "SVG": (
        b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>',
        "It is an SVG drawing, not an image",
    ),
    "HTML": (b"<!doctype html><title>404</title>", "It is a text document, not an image"),
    "JSON": (b'{"error": "AccessDenied"}', "It is a text document, not an image"),
    "text": (b"hello\r\nworld\n", "It is text, not an image"),
    "text in another script": ("日本語の文章です。\n".encode() * 100, "It is text, not an image"),
    "text with a mark": (b"\xef\xbb\xbfhello", "It is text, not an image"),
    "MP4": (
        b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(500),
        "It is an MP4 video, not an image. Send single frames",
    ),
    "Matroska": (b"\x1aE\xdf\xa3" + bytes(100), "It is a Matroska or WebM video, not an image. Send single frames"),
    "noise": (random.Random(1).randbytes(5000), "This is not an image that can be read, or it is damaged from the start"),
    "zeros": (bytes(5000), "This is not an image that can be read, or it is damaged from the start"),
    "one byte": (b"\xff", "This is not an image that can be read, or it is damaged from the start"),
    "only the magic of a JPEG": (b"\xff\xd8\xff", "This is not an image that can be read, or it is damaged from the start"),
    "only the magic of a PNG": (b"\x89PNG\r\n\x1a\n", "This is not an image that can be read, or it is damaged from the start"),
}


def turned(kind: str, orientation: int) -> bytes:
    """The scene as a camera stores it with this EXIF orientation."""
    way = STORED_AS[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(scene() if way is None else scene().transpose(way), kind, exif=exif)


def _plain(width: int, height: int, kind: str = "JPEG") -> Callable[[], bytes]:
    return lambda: encoded(Image.new("L", (width, height), 90), kind)


def _heavy(size: int) -> bytes:
    """A JPEG of `size` bytes, padded after its end."""
    data = encoded(scene(), "JPEG")
    return data + bytes(size - len(data))


def _cut(kind: str, share: float) -> bytes:
    data = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    return data[: int(len(data) * share)]


ODDITIES: dict[str, Callable[[], bytes]] = {
    **{
        f"JPEG, orientation {orientation}": lambda orientation=orientation: turned("JPEG", orientation)
        for orientation in STORED_AS
    },
    "79 pixels": _plain(79, 200),
    "80 pixels": _plain(80, 80),
    "10,000 pixels": _plain(10_000, 100),
    "10,001 pixels": _plain(10_001, 400),
    "a strip of 12,000 pixels": _plain(12_000, 90),
    "just under 15 MB": lambda: _heavy(15 * 1024 * 1024 - 1),
    "just over 15 MB": lambda: _heavy(15 * 1024 * 1024 + 1),
    "JPEG cut in half": lambda: _cut("JPEG", 0.5),
    "PNG cut in half": lambda: _cut("PNG", 0.5),
    "WebP cut near its end": lambda: _cut("WEBP", 0.95),
    "a bomb by its content": lambda: encoded(Image.new("L", (10_900, 10_900)), "PNG"),
    "JPEG with a ZIP behind it": lambda: encoded(scene(), "JPEG") + zipped("secret.html"),
    "GIF with a script behind it": lambda: encoded(scene(), "GIF") + b"<script>alert(1)</script>",
    "TIFF with giant tiles": lambda: tiled_tiff(46_000, 46_000),
}
"""Both sides of each limit, damaged files and polyglots."""

VARIANTS: dict[str, Callable[[], bytes]] = {
    **{name: make for name, (_, make) in (FORMATS | GREYS).items()},
    **ODDITIES,
    **{f"bomb by its header: {name}": lambda data=data: data for name, data in BOMBS.items()},
    **{f"no image: {name}": lambda data=data: data for name, (data, _) in NO_IMAGES.items()},
}
"""One file of each kind, by name."""
