"""What a file's bytes are: every format people send, every limit from both sides, and files made to do harm."""

from __future__ import annotations

import hashlib
import io
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from imagewatch.errors import ImageRejected
from imagewatch.images import renditions as copies
from imagewatch.images.decoding import Picture, examine, refuse_size
from imagewatch.images.file_formats import MAX_FILE_BYTES
from imagewatch.images.file_formats import SUPPORTED as READABLE
from imagewatch.images.renditions import MAX_ANALYSIS_BYTES
from tests.hard_images import (
    BOMBS,
    FORMATS,
    GPS,
    GREYS,
    NO_IMAGES,
    ORIENTATION,
    RED,
    STORED_AS,
    WHITE,
    encoded,
    png,
    scene,
    see_through,
    tiled_tiff,
    zipped,
)
from tests.unit.tiny_heic import heic

MEGABYTE = 1024 * 1024


def reopened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def is_red(image: Image.Image, x: float, y: float) -> bool:
    """Whether the colour at this place (ratios of the sides) is the scene's red rather than its white."""
    pixel = image.convert("RGB").getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(pixel, tuple)
    near_red = sum(abs(a - b) for a, b in zip(pixel, RED, strict=True)) < 90
    near_white = sum(abs(a - b) for a, b in zip(pixel, WHITE, strict=True)) < 90
    assert near_red or near_white, pixel
    return near_red


def assert_plain_jpeg(data: bytes) -> Image.Image:
    """An 8-bit RGB JPEG that carries nothing but the picture."""
    image = reopened(data)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not image.getexif()
    assert b"Exif" not in data
    assert b"secret" not in data
    return image


def assert_upright(picture: Picture) -> None:
    for rendition in filter(None, (picture.thumbnail, picture.converted)):
        image = assert_plain_jpeg(rendition)
        corners = [is_red(image, *place) for place in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))]
        assert corners == [True, False, False, False]
        assert image.width / image.height == pytest.approx(picture.width / picture.height, rel=0.02)


def refusal(data: bytes) -> str:
    with pytest.raises(ImageRejected) as rejected:
        examine(data)
    message = str(rejected.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_and_comes_out_upright_in_its_colours(name: str) -> None:
    kind, make = FORMATS[name]
    data = make()
    picture = examine(data)
    assert picture.format == kind
    assert (picture.width, picture.height) == ((128, 128) if kind == "HEIC" else (120, 90))
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert_upright(picture)


@pytest.mark.parametrize("name", GREYS)
def test_every_kind_of_grey_keeps_its_light_and_dark(name: str) -> None:
    kind, make = GREYS[name]
    picture = examine(make())
    assert (picture.format, picture.width, picture.height) == (kind, 120, 90)
    for rendition in filter(None, (picture.thumbnail, picture.converted)):
        image = assert_plain_jpeg(rendition).convert("L")
        dark, light = image.getpixel((20, 20)), image.getpixel((100, 70))
        assert isinstance(dark, int)
        assert isinstance(light, int)
        assert dark + 100 < light


ORIGINALS_SUFFICE = [
    "JPEG baseline",
    "JPEG progressive",
    "JPEG of a phone (MPO)",
    "PNG",
    "PNG palette",
    "PNG alpha",
    "PNG animated",
]


@pytest.mark.parametrize("name", ORIGINALS_SUFFICE)
def test_what_rekognition_reads_is_not_copied(name: str) -> None:
    picture = examine(FORMATS[name][1]())
    assert (picture.converted, picture.conversion) == (None, None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("WebP lossy", "Rekognition does not read WebP"),
        ("HEIC", "Rekognition does not read HEIC"),
        ("AVIF", "Rekognition does not read AVIF"),
        ("TIFF", "Rekognition does not read TIFF"),
        ("GIF", "Rekognition does not read GIF"),
        ("BMP", "Rekognition does not read BMP"),
        ("JPEG CMYK", "Rekognition expects RGB and this image is in the colours of print (CMYK)"),
        ("PNG 16 bit", "Rekognition expects 8 bits per channel and this image has 16"),
        ("PNG 16 bit grey", "Rekognition expects 8 bits per channel and this image has 16"),
    ],
)
def test_a_converted_copy_says_why_it_exists(name: str, why: str) -> None:
    picture = examine((FORMATS | GREYS)[name][1]())
    assert picture.conversion == f"A JPEG copy was analysed: {why}."
    assert picture.converted is not None
    assert assert_plain_jpeg(picture.converted).size == (picture.width, picture.height)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    way = STORED_AS[orientation]
    stored = scene() if way is None else scene().transpose(way)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = examine(encoded(stored, kind, exif=exif))
    assert (picture.width, picture.height) == (120, 90)
    assert_upright(picture)
    # Rekognition turns a JPEG itself; the boxes of anything else would be those of the picture as it is stored.
    assert (picture.converted is None) == (kind == "JPEG" or (kind == "PNG" and way is None))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_large_turned_jpeg_has_its_full_size_although_it_is_decoded_smaller(orientation: int) -> None:
    stored = scene(3200, 2400).transpose(STORED_AS[orientation] or Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = examine(encoded(stored, "JPEG", exif=exif))
    assert (picture.width, picture.height) == (3200, 2400)
    assert reopened(picture.thumbnail).size == (512, 384)
    assert_upright(picture)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = examine(encoded(scene(), "JPEG", exif=exif))
    assert (picture.width, picture.height) == (120, 90)
    assert_upright(picture)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_heic_comes_out_upright(turns: int) -> None:
    # Stored so that the red block is in the upper left corner after the turns.
    corner = {0: (0, 0), 1: (3, 0), 2: (3, 2), 3: (0, 2)}[turns]
    picture = examine(heic(4, 3, lambda x, y: (73, 110, 215) if (x, y) == corner else (235, 128, 128), quarter_turns=turns))
    assert (picture.width, picture.height) == ((96, 128) if turns % 2 else (128, 96))
    assert is_red(assert_plain_jpeg(picture.thumbnail), 0.1, 0.1)
    assert not is_red(reopened(picture.thumbnail), 0.9, 0.9)


def test_transparency_becomes_white() -> None:
    for kind, mode in (("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA"), ("TIFF", "RGBA"), ("GIF", "RGBA")):
        image = reopened(examine(encoded(see_through(mode), kind)).thumbnail)
        assert image.getpixel((110, 80)) == (255, 255, 255)


def test_half_transparency_is_mixed_with_white() -> None:
    picture = examine(encoded(Image.new("RGBA", (100, 100), (0, 0, 0, 128)), "PNG"))
    assert reopened(picture.thumbnail).getpixel((50, 50)) == pytest.approx((127, 127, 127), abs=2)


def test_a_transparent_colour_becomes_white() -> None:
    key = struct.pack(">HHH", *RED)
    rows = b"".join(b"\0" + bytes(RED) * 60 + b"\0\0\0" * 60 for _ in range(90))
    image = reopened(examine(png(120, 90, 8, 2, rows, (b"tRNS", key))).thumbnail)
    assert image.getpixel((10, 50)) == pytest.approx((255, 255, 255), abs=3)
    assert image.getpixel((110, 50)) == pytest.approx((0, 0, 0), abs=3)


METADATA: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(
        scene(), "JPEG", exif=private_exif(), comment=b"secret", icc_profile=b"secret" * 20, xmp=b"<secret/>"
    ),
    "progressive": lambda: encoded(scene(), "JPEG", progressive=True, comment=b"secret", dpi=(300, 300)),
    "CMYK": lambda: encoded(scene().convert("CMYK"), "JPEG", comment=b"secret", exif=private_exif()),
    "PNG": lambda: encoded(
        scene(), "PNG", pnginfo=private_text(), exif=private_exif(), icc_profile=b"secret" * 20, dpi=(300, 300)
    ),
    "WebP": lambda: encoded(scene(), "WEBP", exif=private_exif(), xmp=b"secret", icc_profile=b"secret" * 20),
    "TIFF": lambda: encoded(scene(), "TIFF", exif=private_exif(), description="secret", artist="secret", icc_profile=b"secret"),
    "GIF": lambda: encoded(scene(), "GIF", comment=b"secret"),
    "AVIF": lambda: encoded(scene(), "AVIF", exif=private_exif(), xmp=b"secret", speed=10),
}


def private_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = exif[0x0110] = "secret"
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    return exif


def private_text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    for name in ("comment", "Comment", "exif"):
        text.add_text(name, "secret")
    text.add_itxt("XML:com.adobe.xmp", "<secret/>")
    return text


@pytest.mark.parametrize("kind", METADATA)
def test_thumbnails_and_copies_carry_no_metadata(kind: str) -> None:
    data = METADATA[kind]()
    assert b"secret" in data
    picture = examine(data)
    for rendition in filter(None, (picture.thumbnail, picture.converted)):
        assert_plain_jpeg(rendition)


@pytest.mark.parametrize(
    ("size", "thumbnail"),
    [
        ((120, 90), (120, 90)),
        ((512, 512), (512, 512)),
        ((513, 512), (512, 511)),
        ((3000, 90), (512, 15)),
        ((90, 3000), (15, 512)),
        ((9000, 80), (512, 5)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_thumbnail_is_at_most_512_pixels_and_never_enlarged(
    kind: str, size: tuple[int, int], thumbnail: tuple[int, int]
) -> None:
    assert assert_plain_jpeg(examine(encoded(Image.new("RGB", size, "teal"), kind)).thumbnail).size == thumbnail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
@pytest.mark.parametrize("size", [(79, 200), (200, 79), (1, 1), (79, 79)])
def test_a_side_below_80_pixels_is_refused_with_the_size(kind: str, size: tuple[int, int]) -> None:
    message = refusal(encoded(Image.new("RGB", size), kind))
    assert message.startswith(f"The image is {size[0]} x {size[1]} pixels; both sides must have at least 80")


@pytest.mark.parametrize("size", [(80, 80), (80, 200), (200, 80)])
def test_a_side_of_80_pixels_is_enough(size: tuple[int, int]) -> None:
    picture = examine(encoded(Image.new("RGB", size), "PNG"))
    assert (picture.width, picture.height, picture.converted) == (*size, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_side_of_10000_pixels_is_analysed_as_it_is(kind: str) -> None:
    picture = examine(encoded(Image.new("L", (10_000, 100)), kind))
    assert (picture.width, picture.height, picture.converted) == (10_000, 100, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(10_001, 100), (100, 10_001), (10_001, 400)])
def test_a_side_above_10000_pixels_is_shrunk(kind: str, size: tuple[int, int]) -> None:
    picture = examine(encoded(Image.new("L", size), kind))
    why = f"the original has {size[0]} x {size[1]} pixels and Rekognition reads 10000 on a side"
    assert picture.conversion == f"A JPEG copy was analysed: {why}."
    assert (picture.width, picture.height) == size
    assert picture.converted is not None
    copy = assert_plain_jpeg(picture.converted)
    assert min(copy.size) >= 80
    assert max(copy.size) <= 10_000
    assert copy.width / copy.height == pytest.approx(size[0] / size[1], rel=0.01)


@given(st.integers(80, 400), st.integers(4_000, 40_000), st.booleans())
@settings(max_examples=25)
def test_a_copy_of_any_shape_keeps_rekognitions_limits_or_is_refused(short: int, long: int, tall: bool) -> None:
    size = (short, long) if tall else (long, short)
    data = encoded(Image.new("L", size), "PNG", compress_level=1) if long > 10_000 else encoded(Image.new("L", size), "GIF")
    if 80 * long > 10_000 * short:
        assert refusal(data).endswith("Cut it into pieces.")
        return
    copy = reopened(examine(data).converted or b"")
    assert min(copy.size) >= 80
    assert max(copy.size) <= 10_000


def test_a_long_strip_that_cannot_be_shrunk_is_refused() -> None:
    message = refusal(encoded(Image.new("L", (12_000, 90)), "PNG"))
    assert message.startswith("The image is 12000 pixels long and only 90 wide")


def test_15_megabytes_are_analysed_as_they_are_and_one_byte_more_is_copied() -> None:
    jpeg = encoded(scene(), "JPEG")
    full = jpeg + bytes(MAX_ANALYSIS_BYTES - len(jpeg))
    assert examine(full).converted is None
    picture = examine(full + b"\0")
    assert picture.conversion == (
        "A JPEG copy was analysed: the original has 15,728,641 bytes and Rekognition reads 15,728,640 bytes (15 MB)."
    )
    assert picture.converted is not None
    assert len(picture.converted) < MEGABYTE
    assert_upright(picture)


def test_a_copy_that_would_be_too_large_is_compressed_more(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = encoded(Image.effect_noise((400, 400), 90).convert("RGB"), "BMP")
    fine, coarse = examine(noise).converted or b"", b""
    monkeypatch.setattr(copies, "MAX_ANALYSIS_BYTES", len(fine) // 2)
    coarse = examine(noise).converted or b""
    assert 0 < len(coarse) <= len(fine) // 2
    monkeypatch.setattr(copies, "MAX_ANALYSIS_BYTES", 100)
    assert "however it is compressed" in refusal(noise)


@pytest.mark.parametrize("size", [1, MAX_FILE_BYTES])
def test_a_file_of_up_to_100_megabytes_is_worth_reading(size: int) -> None:
    refuse_size(size)


def test_an_empty_file_and_a_giant_one_are_refused_before_they_are_read() -> None:
    with pytest.raises(ImageRejected, match=r"^The file is empty\.$"):
        refuse_size(0)
    with pytest.raises(ImageRejected, match=r"^The file has 104,857,601 bytes; .* up to 104,857,600 bytes \(100 MB\)\. Send"):
        refuse_size(MAX_FILE_BYTES + 1)
    assert refusal(b"") == "The file is empty."


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_by_its_header_before_anything_is_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("the bomb was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    assert len(BOMBS[kind]) < 20_000
    refusal(BOMBS[kind])


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("PNG", "120 million in all are the most for PNG"),
        ("JPEG", "250 million"),
        ("JPEG progressive", "120 million in all are the most for progressive"),
    ],
)
def test_the_reason_for_a_bomb_names_the_limit(kind: str, limit: str) -> None:
    message = refusal(BOMBS[kind])
    assert message.startswith("The image says that it is ")
    assert limit in message
    assert message.endswith("Send a smaller copy.")


def test_tiles_far_larger_than_their_picture_are_refused() -> None:
    assert (
        refusal(tiled_tiff(46_000, 46_000))
        == "The TIFF is cut into tiles of 46000 x 46000 pixels, which is more than its picture has."
    )


def test_tiles_a_little_larger_than_their_picture_are_read() -> None:
    assert_upright(examine(tiled_tiff(256, 256)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_an_image_with_something_appended_is_that_image_and_its_thumbnail_nothing_else(kind: str) -> None:
    picture = examine(encoded(scene(), kind) + zipped("secret.html"))
    assert picture.format.upper() == kind
    assert_upright(picture)
    assert b"PK\x03\x04" not in picture.thumbnail


@pytest.mark.parametrize("kind", NO_IMAGES)
def test_what_is_no_image_is_named_for_what_it_is(kind: str) -> None:
    data, what = NO_IMAGES[kind]
    assert refusal(data) == f"{what}. {READABLE}"


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "JPEG2000", "DDS", "SGI"])
def test_an_unsupported_format_never_reaches_a_decoder(kind: str) -> None:
    assert refusal(encoded(scene(), kind)).endswith(READABLE)


def outcome(data: bytes) -> str:
    """The outcome for these bytes: the format, or "rejected". Anything else that comes out fails the test."""
    try:
        picture = examine(data)
    except ImageRejected as rejected:
        assert str(rejected).endswith(".")
        return "rejected"
    assert_plain_jpeg(picture.thumbnail)
    return picture.format


SEEDS = {name: make() for name, (_, make) in (FORMATS | GREYS).items() if name != "JPEG 4:4:4 optimized"}
# Pillow warns about damaged metadata; here that is not an error.
tolerant = pytest.mark.filterwarnings("ignore")


@tolerant
@pytest.mark.parametrize("name", SEEDS)
def test_a_file_cut_off_anywhere_is_read_or_rejected(name: str) -> None:
    data = SEEDS[name]
    cuts = {*range(1, 40), *(len(data) * n // 24 for n in range(1, 24)), *range(len(data) - 6, len(data))}
    assert "rejected" in {outcome(data[:cut]) for cut in sorted(cuts) if 0 < cut < len(data)}


@tolerant
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_half_a_file_is_rejected_as_damaged(kind: str) -> None:
    data = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    assert "damaged" in refusal(data[: len(data) // 2])


@tolerant
@pytest.mark.parametrize("name", SEEDS)
def test_nothing_but_a_rejection_comes_out_of_a_damaged_file(name: str) -> None:
    draw = random.Random(name)
    for _ in range(25):
        data = bytearray(SEEDS[name])
        # Half of the damage goes where the structure is: into the head.
        reach = min(len(data), 200) if draw.random() < 0.5 else len(data)
        for _ in range(draw.choice([1, 2, 8])):
            at = draw.randrange(reach)
            data[at : at + draw.choice([1, 1, 4])] = draw.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", draw.randbytes(4)])[
                : draw.choice([1, 4])
            ]
        outcome(bytes(data))


@tolerant
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e-40, 3e38])
def test_numbers_that_are_no_brightness_do_no_harm(value: float) -> None:
    image = scene().convert("F")
    image.putpixel((5, 5), value)
    assert outcome(encoded(image, "TIFF")) == "TIFF"
