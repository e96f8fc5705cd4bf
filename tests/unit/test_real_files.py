"""Files as cameras, phones and editors write them: odd metadata, profiles, several pictures, unsupported formats."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms, ImageDraw

from imagewatch.errors import ImageRejected
from imagewatch.images.decoding import Picture, examine
from imagewatch.images.file_formats import SUPPORTED
from imagewatch.images.renditions import megabytes, sizes_apart
from tests.hard_images import ORIENTATION, RED, STORED_AS, WHITE, encoded, png, scene
from tests.unit.test_pictures import assert_upright, refusal, reopened

PNG_ROWS = b"".join(b"\0" + (bytes(RED) if y < 45 else bytes(WHITE)) * 60 + bytes(WHITE) * 60 for y in range(90))
pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged metadata


def with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    """The JPEG with one more segment at its beginning."""
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def exif(*entries: tuple[int, int, int, int]) -> bytes:
    """An Exif segment's payload with one directory: (tag, type, count, value)."""
    packed = b"".join(struct.pack(">HHI", *entry[:3]) + _value(entry[1], entry[3]) for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + packed + bytes(4)


def _value(kind: int, value: int) -> bytes:
    return struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)


def chunk(name: bytes, data: bytes, *, crc: int | None = None) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) if crc is None else crc)


def png_with(*chunks: bytes) -> bytes:
    """The scene as a PNG with these chunks before its pixels."""
    plain = png(120, 90, 8, 2, PNG_ROWS)
    return plain[:33] + b"".join(chunks) + plain[33:]


ODD_METADATA: dict[str, Callable[[], bytes]] = {
    "JPEG, density and zeroed Exif": lambda: with_segment(encoded(scene(), "JPEG", dpi=(72, 72)), 0xE1, b"Exif\0\0" + bytes(60)),
    "JPEG, garbage Exif": lambda: with_segment(encoded(scene(), "JPEG", dpi=(300, 300)), 0xE1, b"Exif\0\0" + b"\xa5\x17" * 40),
    "JPEG, Exif that points beyond itself": lambda: with_segment(
        encoded(scene(), "JPEG"), 0xE1, b"Exif\0\0MM\0*\x7f\xff\xff\xff"
    ),
    "JPEG, Exif cut off": lambda: with_segment(encoded(scene(), "JPEG"), 0xE1, exif((ORIENTATION, 3, 1, 1))[:17]),
    "JPEG, half an ICC profile": lambda: with_segment(encoded(scene(), "JPEG"), 0xE2, b"ICC_PROFILE\0\x01\x02" + b"\1" * 90),
    "JPEG, odd Photoshop block": lambda: with_segment(encoded(scene(), "JPEG"), 0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff"),
    "PNG, large compressed text": lambda: png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000)))),
    "PNG, wrong CRC of its text": lambda: png_with(chunk(b"tEXt", b"a\0b", crc=1)),
    "PNG, wrong CRC of its density": lambda: png_with(chunk(b"pHYs", bytes(9), crc=7)),
    "PNG, iCCP without a profile": lambda: png_with(chunk(b"iCCP", b"x")),
    "PNG, iCCP that does not inflate": lambda: png_with(chunk(b"iCCP", b"name\0\0" + b"\xff" * 30)),
    "PNG, pHYs of one byte": lambda: png_with(chunk(b"pHYs", b"\1")),
    "PNG, gAMA of one byte": lambda: png_with(chunk(b"gAMA", b"\1")),
    "PNG, gAMA of zero": lambda: png_with(chunk(b"gAMA", bytes(4))),
    "PNG, empty sRGB": lambda: png_with(chunk(b"sRGB", b"")),
    "PNG, short cHRM": lambda: png_with(chunk(b"cHRM", b"\1\2\3")),
    "PNG, garbage eXIf": lambda: png_with(chunk(b"eXIf", b"\xa5" * 21)),
    "PNG, empty eXIf": lambda: png_with(chunk(b"eXIf", b"")),
    "PNG, iTXt without its parts": lambda: png_with(chunk(b"iTXt", b"XML:com.adobe.xmp")),
    "PNG, acTL of two bytes": lambda: png_with(chunk(b"acTL", b"\0\1")),
}


@pytest.mark.parametrize("name", ODD_METADATA)
def test_odd_metadata_do_not_decide_whether_pixels_are_a_picture(name: str) -> None:
    picture = examine(ODD_METADATA[name]())
    assert (picture.width, picture.height) == (120, 90)
    assert_upright(picture)


def test_a_file_that_only_reads_without_its_metadata_is_analysed_as_a_clean_copy() -> None:
    picture = examine(png_with(chunk(b"pHYs", bytes(9), crc=7)))
    assert picture.conversion == "A JPEG copy was analysed: the metadata of the original are damaged."
    assert picture.converted


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_damaged_pixels_are_rejected_also_where_the_metadata_are_damaged(kind: str) -> None:
    noise = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    data = noise[:33] + chunk(b"pHYs", bytes(9), crc=7) + noise[33:] if kind == "PNG" else with_segment(noise, 0xE1, b"Exif\0\0x")
    assert "damaged" in refusal(data[: len(data) // 2])


def test_a_palette_and_its_transparency_survive_without_metadata() -> None:
    image = Image.new("RGBA", (120, 90), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 60, 45))
    data = encoded(image.quantize(16), "PNG")
    at = data.index(b"PLTE") - 4
    thumbnail = reopened(examine(data[:at] + chunk(b"pHYs", bytes(9), crc=7) + data[at:]).thumbnail)
    assert thumbnail.getpixel((110, 80)) == pytest.approx((255, 255, 255), abs=3)
    assert thumbnail.getpixel((10, 10)) == pytest.approx(RED, abs=25)


def stored(orientation: int) -> Image.Image:
    way = STORED_AS[orientation]
    return scene() if way is None else scene().transpose(way)


XMP = '<x:xmpmeta><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'
XMP_ELEMENT = "<x:xmpmeta><tiff:Orientation>{}</tiff:Orientation></x:xmpmeta>"


def xmp_jpeg(orientation: int, packet: str) -> bytes:
    payload = b"http://ns.adobe.com/xap/1.0/\0" + packet.format(orientation).encode()
    return with_segment(encoded(stored(orientation), "JPEG"), 0xE1, payload)


IRREGULAR: dict[str, Callable[[int], bytes]] = {
    "XMP attribute": lambda n: xmp_jpeg(n, XMP),
    "XMP element": lambda n: xmp_jpeg(n, XMP_ELEMENT),
    "Exif LONG": lambda n: with_segment(encoded(stored(n), "JPEG"), 0xE1, exif((ORIENTATION, 4, 1, n))),
    "garbage Exif and XMP": lambda n: with_segment(xmp_jpeg(n, XMP), 0xE1, b"Exif\0\0" + b"\xa5" * 20),
}


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("place", IRREGULAR)
def test_the_analysed_picture_is_upright_for_every_place_of_the_orientation(place: str, orientation: int) -> None:
    picture = examine(IRREGULAR[place](orientation))
    assert (picture.width, picture.height) == (120, 90)
    assert picture.converted is not None, "Rekognition reads only a regular Exif entry"
    assert_upright(picture)  # compares the pixels of the thumbnail and of what is analysed


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_regular_exif_orientation_needs_no_copy(orientation: int, order: str) -> None:
    data = Image.Exif()
    data.endian = "<" if order == "II" else ">"
    data[ORIENTATION] = orientation
    picture = examine(encoded(stored(orientation), "JPEG", exif=data))
    assert picture.converted is None
    assert_upright(picture)


def matrix_profile(red: tuple[float, float, float], green: tuple[float, float, float], blue: tuple[float, float, float]) -> bytes:
    """An ICC profile of RGB with these primaries (XYZ relative to D50) and a gamma of 2.2."""

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(2.2 * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    parts = [(b"desc", text), (b"cprt", b"text\0\0\0\0CC0\0"), (b"wtpt", xyz((0.9642, 1.0, 0.8249)))]
    parts += [(b"rXYZ", xyz(red)), (b"gXYZ", xyz(green)), (b"bXYZ", xyz(blue))]
    parts += [(b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve)]
    return icc(parts, b"RGB ")


def icc(parts: list[tuple[bytes, bytes]], space: bytes, pcs: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    offset = 128 + 4 + 12 * len(parts)
    table, body = struct.pack(">I", len(parts)), b""
    for name, data in parts:
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, kind, space, pcs) + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


SRGB_RED, SRGB_GREEN, SRGB_BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
EXCHANGED = (SRGB_GREEN, SRGB_RED, SRGB_BLUE)


def wide(
    colours: tuple[tuple[int, int, int], ...] = ((200, 60, 40), (60, 160, 60), (50, 70, 190), (128, 128, 128)),
) -> Image.Image:
    """Four bands of colour."""
    image = Image.new("RGB", (160, 120))
    draw = ImageDraw.Draw(image)
    for place, colour in enumerate(colours):
        draw.rectangle((40 * place, 0, 40 * place + 39, 119), fill=colour)
    return image


def in_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """The sRGB image's colours, stored in the space of the profile."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), target)
    assert converted
    return converted


def bands(data: bytes) -> list[tuple[int, ...]]:
    image = reopened(data).convert("RGB")
    return [image.getpixel((20 + 40 * n, 60)) for n in range(4)]  # type: ignore[misc]


@pytest.mark.parametrize("primaries", [PROPHOTO, P3, EXCHANGED], ids=["wide gamut", "P3", "exchanged channels"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_colour_profile_is_applied_to_thumbnails_and_copies(
    kind: str, primaries: tuple[tuple[float, float, float], ...]
) -> None:
    profile = matrix_profile(*primaries)
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    picture = examine(encoded(in_profile(wide(), profile), kind, icc_profile=profile, **options))
    for rendition in filter(None, (picture.thumbnail, picture.converted)):
        for found, wanted in zip(bands(rendition), bands(encoded(wide(), "PNG")), strict=True):
            assert found == pytest.approx(wanted, abs=12)


@pytest.mark.parametrize(("primaries", "copied"), [(EXCHANGED, True), (PROPHOTO, True), (P3, False)])
def test_a_copy_is_analysed_where_a_profile_changes_the_picture_strongly(
    primaries: tuple[tuple[float, float, float], ...], copied: bool
) -> None:
    profile = matrix_profile(*primaries)
    picture = examine(encoded(in_profile(wide(), profile), "JPEG", icc_profile=profile, quality=95))
    assert (picture.converted is not None) is copied
    if copied:
        assert (
            picture.conversion == "A JPEG copy was analysed: the original has a colour profile that Rekognition does not apply."
        )


def cmyk_profile() -> bytes:
    """A table of 2 x 2 x 2 x 2 points: cyan prints as blue here, so that a reader that ignores the profile is found out."""
    lab = []
    for point in range(16):
        inked = [bool(point & (8 >> channel)) for channel in range(4)]
        lightness = 0 if inked[3] else 255 - 60 * sum(inked[:3])
        blue = 60 if inked[0] and not inked[3] else 128
        lab += [max(lightness, 0), 128, blue]
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table += ramp * 4 + bytes(lab) + ramp * 3
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"ink!\0" + bytes(78)
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    parts = [(b"desc", text), (b"cprt", b"text\0\0\0\0CC0\0"), (b"wtpt", white), (b"A2B0", table)]
    return icc(parts, b"CMYK", b"Lab ", b"prtr")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_colours_of_print_are_converted_by_their_profile(kind: str) -> None:
    cyan = Image.new("CMYK", (120, 90), (255, 0, 0, 0))
    plain = reopened(examine(encoded(cyan, kind)).thumbnail).getpixel((60, 45))
    by_profile = reopened(examine(encoded(cyan, kind, icc_profile=cmyk_profile())).thumbnail).getpixel((60, 45))
    assert plain[1] > 150  # type: ignore[index]
    assert by_profile[2] > by_profile[1] + 40  # type: ignore[index]


@pytest.mark.parametrize(
    "profile", [b"x", b"\0" * 200, matrix_profile(*P3)[:300], cmyk_profile()], ids=["x", "zeros", "half", "CMYK"]
)
def test_a_profile_that_is_damaged_or_of_another_mode_is_ignored(profile: bytes) -> None:
    picture = examine(encoded(scene(), "JPEG", icc_profile=profile))
    assert picture.converted is None
    assert_upright(picture)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_16_bit_tiff_whose_white_is_zero_is_not_a_negative(order: str) -> None:
    picture = outcome(grey_tiff(order, photometric=0))
    if isinstance(picture, Picture):
        image = reopened(picture.thumbnail).convert("L")
        assert image.getpixel((20, 20)) < image.getpixel((100, 70))  # type: ignore[operator]
    else:
        assert "8-bit" in picture


def outcome(data: bytes) -> Picture | str:
    try:
        return examine(data)
    except ImageRejected as rejected:
        return str(rejected)


def tiff(order: str, tags: list[tuple[int, int, int, int]], pixels: bytes) -> bytes:
    """A TIFF of one strip, its pixels right behind the header: (tag, type, count, value)."""
    packed = b"".join(
        struct.pack(f"{order}HHI", *tag[:3])
        + (struct.pack(f"{order}HH", tag[3], 0) if tag[1] == 3 else struct.pack(f"{order}I", tag[3]))
        for tag in sorted(tags)
    )
    magic = b"II*\0" if order == "<" else b"MM\0*"
    at = 8 + len(pixels) + len(pixels) % 2
    return (
        magic
        + struct.pack(f"{order}I", at)
        + pixels.ljust(at - 8, b"\0")
        + struct.pack(f"{order}H", len(tags))
        + packed
        + bytes(4)
    )


def grey_tiff(order: str = "<", photometric: int = 1, bits: int = 16, sample_format: int = 1, samples: int = 1) -> bytes:
    """The scene in greys, its upper left quarter darker; as a negative where white is zero."""
    values = [v if photometric else 255 - v for v in scene().convert("L").tobytes()]
    form = {(16, 1): "H", (32, 3): "f", (64, 3): "d", (32, 1): "I", (8, 1): "B"}[(bits, sample_format)]
    scale = 257 if form == "H" else 1
    pixels = struct.pack(f"{order}{len(values) * samples}{form}", *(v * scale for v in values for _ in range(samples)))
    tags = [(256, 4, 1, 120), (257, 4, 1, 90), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, photometric), (273, 4, 1, 8)]
    tags += [(277, 3, 1, samples), (278, 4, 1, 90), (279, 4, 1, len(pixels)), (339, 3, 1, sample_format)]
    return tiff(order, tags, pixels)


@pytest.mark.parametrize(("kind", "frames"), [("GIF", 3), ("PNG", 3), ("WEBP", 3), ("TIFF", 3), ("AVIF", 3)])
def test_a_file_of_several_pictures_says_which_was_analysed(kind: str, frames: int) -> None:
    black = Image.new("RGB", (120, 90))
    options = {"speed": 10} if kind == "AVIF" else {}
    later = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    picture = examine(encoded(black, kind, save_all=True, append_images=later, **options))
    assert (picture.frames, picture.frame) == (frames, 1)
    assert picture.coverage == f"Only the first of {frames} pictures in the file was analysed."


def test_one_picture_says_nothing_of_others() -> None:
    picture = examine(encoded(scene(), "PNG"))
    assert (picture.frames, picture.coverage) == (1, None)


def test_the_largest_page_of_a_tiff_is_analysed_where_the_first_is_a_preview() -> None:
    picture = examine(encoded(scene(160, 120), "TIFF", save_all=True, append_images=[scene(1600, 1200)]))
    assert (picture.width, picture.height, picture.frame) == (1600, 1200, 2)
    assert picture.coverage == "Only number 2, the largest, of 2 pictures in the file was analysed."


def test_pages_of_about_the_same_size_are_a_document_and_its_first_page_is_analysed() -> None:
    picture = examine(encoded(scene(800, 600), "TIFF", save_all=True, append_images=[scene(1000, 700)]))
    assert (picture.width, picture.height, picture.frame) == (800, 600, 1)


def raw_like(make: bytes, *more: tuple[int, int, int, int]) -> bytes:
    """A preview of 160 x 120, whose sub-directory holds sensor data of 4000 x 3000."""
    pixels = scene(160, 120).tobytes()
    start = 8 + len(pixels)
    sub = (
        struct.pack("<H", 3)
        + b"".join(struct.pack("<HHII", *tag) for tag in [(256, 4, 1, 4000), (257, 4, 1, 3000), (262, 3, 1, 32803)])
        + bytes(4)
    )
    make_at, bits_at = start + len(sub), start + len(sub) + len(make) + len(make) % 2
    body = pixels + sub + make + bytes(len(make) % 2) + struct.pack("<3H", 8, 8, 8)
    tags = [
        (256, 4, 1, 160),
        (257, 4, 1, 120),
        (258, 3, 3, bits_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (271, 2, len(make), make_at),
    ]
    tags += [(273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, 120), (279, 4, 1, len(pixels)), (330, 4, 1, start), *more]
    packed = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + packed + bytes(4)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (raw_like(b"NIKON CORPORATION\0"), "a Nikon raw file (NEF)"),
        (raw_like(b"SONY\0"), "a Sony raw file (ARW)"),
        (raw_like(b"Leica Camera AG\0", (50706, 1, 4, 0x00000401)), "an Adobe raw file (DNG)"),
        (raw_like(b"Unheard Of\0"), "a camera's raw file"),
    ],
    ids=["NEF", "ARW", "DNG", "unknown"],
)
def test_a_raw_file_with_a_preview_is_named_and_not_analysed_as_its_preview(data: bytes, name: str) -> None:
    assert refusal(data) == f"It is {name}: its first picture is only a preview. Export it as JPEG or TIFF."


UNSUPPORTED = {
    "JPEG XL codestream": (b"\xff\x0a" + bytes(90), "a JPEG XL image"),
    "JPEG XL container": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(90), "a JPEG XL image"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 " + bytes(90), "a JPEG 2000 image"),
    "PSD": (b"8BPS\0\1" + bytes(90), "a Photoshop document (PSD)"),
    "ICO": (b"\0\0\x01\0\1\0" + bytes(90), "an icon (ICO)"),
    "EXR": (b"\x76\x2f\x31\x01" + bytes(90), "an OpenEXR image"),
    "PPM": (b"P6\n120 90\n255\n" + bytes(90), "a portable pixmap (PNM)"),
    "QOI": (b"qoif" + bytes(90), "a QOI image"),
}
RAW = {
    "CR2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(90), "a Canon raw file (CR2)"),
    "CR3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(90), "a Canon raw file (CR3)"),
    "RAF": (b"FUJIFILMCCD-RAW 0201" + bytes(90), "a Fujifilm raw file (RAF)"),
    "RW2": (b"IIU\0\x18\0\0\0" + bytes(90), "a Panasonic raw file (RW2)"),
    "ORF": (b"IIRO\x08\0\0\0" + bytes(90), "an Olympus raw file (ORF)"),
}
VIDEOS = {
    "AVI": (b"RIFF\0\0\1\0AVI LIST" + bytes(90), "an AVI video"),
    "MOV": (b"\0\0\0\x14ftypqt  " + bytes(90), "a QuickTime video"),
    "MP4": (b"\0\0\0\x20ftypmp42" + bytes(90), "an MP4 video"),
    "MPEG": (b"\0\0\x01\xba" + bytes(90), "an MPEG video"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_an_image_format_that_is_not_supported_is_named(name: str) -> None:
    data, kind = UNSUPPORTED[name]
    assert refusal(data) == f"It is {kind}, an image format that Imagewatch does not read. Save it as JPEG or PNG. {SUPPORTED}"


@pytest.mark.parametrize("name", RAW)
def test_a_camera_s_raw_file_is_named(name: str) -> None:
    data, kind = RAW[name]
    assert refusal(data) == f"It is {kind}, a camera's raw file. Export it as JPEG or TIFF. {SUPPORTED}"


@pytest.mark.parametrize("name", VIDEOS)
def test_a_video_is_named(name: str) -> None:
    data, kind = VIDEOS[name]
    assert refusal(data) == f"It is {kind}, not an image. Send single frames. {SUPPORTED}"


def with_frame_header(marker: int, bits: int) -> bytes:
    data = bytearray(encoded(scene(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (with_frame_header(0xC1, 12), "It is a JPEG of 12 bits per channel"),
        (with_frame_header(0xC3, 8), "It is a lossless JPEG"),
        (with_frame_header(0xC3, 16), "It is a lossless JPEG"),
        (with_frame_header(0xC5, 8), "It is a hierarchical JPEG"),
        (grey_tiff(bits=64, sample_format=3), "It is a TIFF of 1 channel with floating-point samples of 64 bits"),
        (grey_tiff(bits=32, sample_format=3, samples=3), "It is a TIFF of 3 channels with floating-point samples of 32 bits"),
    ],
)
def test_content_that_is_not_supported_is_not_called_damaged(data: bytes, what: str) -> None:
    assert refusal(data) == f"{what}, which Imagewatch does not read. Save it as an 8-bit JPEG or PNG."


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (5 * 1024**3, "5,120 MB"),
        (5_368_709_121, "5,120 MB"),
        (104_857_601, "100 MB"),
        (15 * 1024**2, "15 MB"),
        (900, "900 bytes"),
    ],
)
def test_sizes_are_written_without_exponents(size: int, words: str) -> None:
    assert megabytes(size) == words


@pytest.mark.parametrize("size", [104_857_601, 104_857_600 + 300_000, 200 * 1024**2])
def test_a_size_and_its_limit_never_read_the_same(size: int) -> None:
    has, limit = sizes_apart(size, 100 * 1024**2)
    assert has != limit
