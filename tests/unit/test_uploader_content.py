"""What a file is by its first bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from uploader.upload.content_type import HEAD_BYTES, content_type, image_type


def picture(kind: str) -> bytes:
    """A real small picture, written by Pillow."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind)
    return file.getvalue()[:HEAD_BYTES]


def iso_file(*brands: bytes) -> bytes:
    """The start of an ISO base media file: size, ftyp, major brand, minor version, compatible brands."""
    body = b"ftyp" + brands[0] + b"\0\0\0\0" + b"".join(brands[1:])
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08mdat"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
    ],
)
def test_knows_a_picture_by_its_content(kind: str, expected: str) -> None:
    assert image_type(picture(kind)) == expected


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        ((b"heic", b"mif1", b"heic"), "image/heic"),
        ((b"mif1", b"mif1", b"heic"), "image/heic"),
        ((b"mif1", b"miaf", b"avif"), "image/avif"),
        ((b"avif", b"mif1", b"miaf"), "image/avif"),
        ((b"isom", b"iso2", b"mp41"), None),
        ((b"qt  ", b"qt  "), None),
    ],
)
def test_distinguishes_heic_avif_and_films_by_their_brands(brands: tuple[bytes, ...], expected: str | None) -> None:
    assert image_type(iso_file(*brands)) == expected


def test_does_not_read_brands_beyond_the_box_that_lists_them() -> None:
    assert image_type(iso_file(b"isom", b"mp41") + b"heicheicheicheic") is None


@pytest.mark.parametrize(
    "head", [b"", b"BM", b"BMW of the year: a long story about a car", b"RIFF\0\0\0\0WAVEfmt ", b"\xff\xd8", b"<svg/>"]
)
def test_takes_nothing_else_for_a_picture(head: bytes) -> None:
    assert image_type(head) is None


def test_the_content_type_is_that_of_the_content_and_not_of_the_name() -> None:
    assert content_type(picture("PNG"), "photo.jpg") == "image/png"


def test_a_name_alone_never_makes_an_image() -> None:
    assert content_type(b"just text", "photo.jpg") == "application/octet-stream"


def test_the_name_decides_for_what_is_no_image() -> None:
    assert content_type(b"%PDF-1.7", "plan.pdf") == "application/pdf"
