"""Pictures: the limits at the wire, the right way up, colours by name, and what the embedded detectors find in real photos."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.emulator.rekognition import Engine, ObjectNotReadable
from local.emulator.rekognition.cascades import confidence
from local.emulator.rekognition.colours import dominant_colours, name_colour, quality
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.pictures import decode_upright, open_picture
from tests.hard_images import STORED_AS

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(width: int = 100, height: int = 100) -> Image.Image:
    return Image.new("RGB", (width, height), "olive")


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header has these sides, without pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + b"\0\0\0\0IDAT"


def ask(engine: Engine, content: bytes, operation: str = "DetectLabels", **request: Any) -> dict[str, Any]:
    image = {"Image": {"S3Object": {"Bucket": "photos", "Name": "a"}}}
    return engine.handle(operation, {**image, **request}, lambda bucket, key, version: content)[1]


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "TIFF", "BMP"])
def test_only_jpeg_and_png_are_read_whatever_the_name(engine: Engine, kind: str) -> None:
    assert ask(engine, encoded(plain(), kind))["__type"] == "InvalidImageFormatException"


@pytest.mark.parametrize("operation", ["DetectLabels", "DetectModerationLabels", "DetectText", "DetectFaces"])
def test_a_truncated_picture_is_refused_by_every_operation(engine: Engine, operation: str) -> None:
    whole = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), "JPEG")
    assert ask(engine, whole[: len(whole) // 2], operation)["__type"] == "InvalidImageFormatException"


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", png_header(100, 100)])
def test_bytes_that_are_no_picture_are_refused(engine: Engine, content: bytes) -> None:
    assert ask(engine, content)["__type"] == "InvalidImageFormatException"


@pytest.mark.parametrize(
    ("width", "height", "error"),
    [
        (79, 200, "InvalidParameterException"),
        (200, 79, "InvalidParameterException"),
        (10_001, 200, "ImageTooLargeException"),
        (200, 10_001, "ImageTooLargeException"),
        (60_000, 60_000, "ImageTooLargeException"),
    ],
)
def test_sides_outside_80_to_10000_pixels_are_refused(engine: Engine, width: int, height: int, error: str) -> None:
    assert ask(engine, png_header(width, height))["__type"] == error


def test_the_largest_sides_that_rekognition_takes_pass_without_a_warning() -> None:
    assert open_picture(png_header(10_000, 10_000), 1000).size == (10_000, 10_000)


def test_an_object_may_have_15_megabytes_and_inline_bytes_5(engine: Engine) -> None:
    picture = encoded(plain())
    at_limit, above = picture.ljust(15_728_640, b"\0"), picture.ljust(15_728_641, b"\0")
    assert "Labels" in ask(engine, at_limit)
    assert ask(engine, above)["__type"] == "ImageTooLargeException"
    inline = {"Image": {"Bytes": base64.b64encode(picture.ljust(5_242_881, b"\0")).decode()}}
    _, answer = engine.handle("DetectLabels", inline, lambda bucket, key, version: b"")
    assert answer["__type"] == "ImageTooLargeException"


def test_an_object_that_cannot_be_read_is_an_invalid_s3_object(engine: Engine) -> None:
    def missing(bucket: str, key: str, version: str | None) -> bytes:
        raise ObjectNotReadable(f"{bucket} {key} {version}")

    place = {"Bucket": "photos", "Name": "gone.jpg", "Version": "v7"}
    status, answer = engine.handle("DetectLabels", {"Image": {"S3Object": place}}, missing)
    assert (status, answer["__type"]) == (400, "InvalidS3ObjectException")
    assert "photos gone.jpg v7" in answer["Message"]


def test_our_own_failure_is_an_internal_error(engine: Engine) -> None:
    def broken(bucket: str, key: str, version: str | None) -> bytes:
        raise RuntimeError("disk on fire")

    status, answer = engine.handle("DetectLabels", {"Image": {"S3Object": {"Bucket": "photos", "Name": "a"}}}, broken)
    assert (status, answer["__type"]) == (500, "InternalServerError")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_is_turned_upright_by_its_exif_orientation(orientation: int, kind: str) -> None:
    upright = Image.new("RGB", (120, 90), "white")
    upright.paste("red", (0, 0, 40, 30))
    way = STORED_AS[orientation]
    turned = upright.transpose(way) if way is not None else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_upright(open_picture(encoded(turned, kind, exif=exif), 10**6), 1000)
    assert image.size == (120, 90)
    red, green, _ = image.getpixel((10, 10))
    assert (red > 200, green < 60) == (True, True)
    assert min(image.getpixel((110, 80))) > 200


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_exif_that_cannot_be_read_leaves_the_picture_as_it_is() -> None:
    content = encoded(plain(120, 90), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode_upright(open_picture(content, 10**6), 1000).size == (120, 90)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "I;16"])
def test_every_colour_mode_of_jpeg_and_png_decodes_to_rgb(mode: str) -> None:
    grey = Image.new("L", (100, 100), 128)
    image = Image.new("I;16", (100, 100), 32_896) if mode == "I;16" else grey.convert(mode)
    content = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    pixel = decode_upright(open_picture(content, 10**6), 100).getpixel((50, 50))
    assert pixel in {(255,) * 3, (0,) * 3} if mode == "1" else all(120 <= value <= 136 for value in pixel)


def test_transparent_parts_are_seen_on_white() -> None:
    content = encoded(Image.new("RGBA", (100, 100), (0, 0, 0, 0)))
    assert decode_upright(open_picture(content, 10**6), 100).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("rgb", "css", "simple"),
    [
        ((245, 245, 220), "beige", "white"),
        ((255, 0, 0), "red", "red"),
        ((200, 30, 30), "firebrick", "red"),
        ((3, 3, 5), "black", "black"),
        ((150, 90, 50), "sienna", "brown"),
        ((47, 79, 79), "darkslategrey", "grey"),
        ((60, 130, 190), "steelblue", "blue"),
        ((255, 190, 200), "pink", "pink"),
    ],
)
def test_a_colour_is_named_as_an_eye_would(rgb: tuple[int, int, int], css: str, simple: str) -> None:
    assert name_colour(rgb) == (css, simple)


def test_dominant_colours_are_counted_the_commonest_first() -> None:
    image = Image.new("RGB", (200, 100), "white")
    image.paste("navy", (0, 0, 50, 100))
    colours = dominant_colours(image)
    assert [(each["CSSColor"], each["HexCode"]) for each in colours] == [("white", "#ffffff"), ("navy", "#000080")]
    assert colours[1]["PixelPercent"] == pytest.approx(25, abs=2)
    assert dominant_colours(image, 0) == []
    assert len(dominant_colours(image, 1)) == 1


def test_quality_follows_the_picture() -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    flat, bright = quality(Image.new("RGB", (200, 200), (40, 40, 40)), contrast=True), quality(plain(), contrast=True)
    assert flat["Sharpness"] == flat["Contrast"] == 0
    assert flat["Brightness"] < bright["Brightness"]
    assert quality(noise.reduce(4).resize((200, 200)))["Sharpness"] < quality(noise)["Sharpness"]


def test_more_evidence_makes_a_find_surer_but_never_certain() -> None:
    values = [confidence(evidence) for evidence in (0, 2, 8, 40)]
    assert values == sorted(values)
    assert values[0] == 0
    assert 99 < values[-1] < 100


@pytest.mark.parametrize("version", ["5.0.0.93", "3.4.18.65"])
def test_another_opencv_than_4_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(EngineSetup, match="pip install 'opencv-python-headless>=4"):
        Engine()


def seen(answer: dict[str, Any]) -> dict[str, float]:
    return {label["Name"]: label["Confidence"] for label in answer["Labels"]}


@pytest.mark.parametrize(
    ("sample", "labels"),
    [
        ("astronaut-portrait.jpg", {"Person", "Head", "Face"}),
        ("photographer-in-park.png", {"Person", "Head", "Face"}),
        ("cat-phone-held-sideways.jpg", {"Cat", "Pet", "Mammal", "Animal"}),
        ("qr-code-poster-on-wall.jpg", {"QR Code"}),
        ("goldfish.jpg", set()),
        ("rocket-on-launch-pad.jpg", set()),
    ],
)
def test_the_embedded_detectors_see_what_is_in_the_sample(engine: Engine, sample: str, labels: set[str]) -> None:
    answer = ask(engine, (SAMPLES / sample).read_bytes())
    assert set(seen(answer)) == labels
    assert all(80 < value < 100 for value in seen(answer).values())
    assert answer["LabelModelVersion"] == "local-opencv-1"


def test_a_face_is_boxed_where_it_is_and_measured(engine: Engine) -> None:
    (face,) = ask(engine, (SAMPLES / "astronaut-portrait.jpg").read_bytes(), "DetectFaces")["FaceDetails"]
    box = face["BoundingBox"]
    assert box["Left"] < 0.44 < box["Left"] + box["Width"]  # her nose, read off the photo
    assert box["Top"] < 0.23 < box["Top"] + box["Height"]
    assert set(face) == {"BoundingBox", "Confidence", "Quality"}
    assert set(face["Quality"]) == {"Brightness", "Sharpness"}


def test_image_properties_come_with_the_colours_of_each_instance(engine: Engine) -> None:
    content = (SAMPLES / "qr-code-poster-on-wall.jpg").read_bytes()
    answer = ask(engine, content, Features=["GENERAL_LABELS", "IMAGE_PROPERTIES"])
    (label,) = answer["Labels"]
    assert {colour["SimplifiedColor"] for colour in label["Instances"][0]["DominantColors"]} >= {"black", "grey"}
    assert set(answer["ImageProperties"]["Quality"]) == {"Brightness", "Sharpness", "Contrast"}
