"""The picture in an alert: boxes where the findings are, names that can be read, and nothing of the original's metadata."""

from __future__ import annotations

import io
import math
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from imagewatch.alerts.picture import LEAST_SIDE, MAX_BOXES, MAX_BYTES, Finding, annotate, findings_of
from imagewatch.rules.matched_rule import Match

GREY = (128, 128, 128)
BOX = {"Left": 0.25, "Top": 0.25, "Width": 0.5, "Height": 0.5}


def jpeg(size: tuple[int, int] = (512, 384), **saved: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, GREY).save(buffer, "JPEG", quality=90, **saved)
    return buffer.getvalue()


def drawn(findings: list[Finding], size: tuple[int, int] = (512, 384)) -> Image.Image:
    image = Image.open(io.BytesIO(annotate(jpeg(size), findings)))
    image.load()
    return image


def changed(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The part of the picture that is no longer plain grey."""
    difference = ImageChops.difference(image, Image.new("RGB", image.size, GREY)).convert("L")
    return difference.point(lambda value: 255 if value > 60 else 0).getbbox()


def test_a_box_is_where_the_finding_is_and_the_middle_stays_visible() -> None:
    image = drawn([Finding("Person", 97.3, BOX)])
    left, top, right, bottom = changed(image) or (0, 0, 0, 0)
    assert (abs(left - 128), abs(right - 384), abs(bottom - 288)) <= (6, 6, 6)
    assert 96 - 26 <= top <= 96  # the name is above
    assert max(abs(a - b) for a, b in zip(image.getpixel((256, 192)), GREY, strict=True)) < 12  # type: ignore[arg-type]
    assert image.size == (512, 384)


def test_a_name_takes_room_enough_to_be_read() -> None:
    without = changed(drawn([Finding("", 0, BOX)])) or (0, 0, 0, 0)
    plate = drawn([Finding("Person", 97.3, BOX)]).crop((128, 70, 384, 95))
    dark = sum(1 for value in plate.convert("L").tobytes() if value < 90)
    assert without[1] < 96
    assert dark > 150  # the strokes of letters of 14 pixels


@pytest.mark.parametrize(
    "box", [{"Left": 0, "Top": 0, "Width": 1, "Height": 1}, {"Left": 0.9, "Top": 0.95, "Width": 0.1, "Height": 0.05}]
)
def test_a_name_stays_in_the_picture_at_its_edges(box: dict[str, float]) -> None:
    image = drawn([Finding("Mobile Phone", 88.8, box)])
    bright = image.convert("RGB").point(lambda value: 255 if value > 180 else 0)
    assert bright.getchannel("R").getbbox() is not None
    assert image.size == (512, 384)


def test_what_has_no_place_is_written_below_the_picture() -> None:
    image = drawn([Finding("Beach", 99.0, None), Finding("Sunset", 80.0, None)])
    assert image.size[0] == 512
    assert image.size[1] > 384
    assert changed(image.crop((0, 0, 512, 380))) is None


def test_the_same_kind_of_thing_has_the_same_colour_and_another_kind_another() -> None:
    boxes = [{"Left": x, "Top": 0.5, "Width": 0.1, "Height": 0.3} for x in (0.1, 0.4, 0.7)]
    image = drawn([Finding("Car", 90, boxes[0]), Finding("Car", 80, boxes[1]), Finding("Dog", 90, boxes[2])])
    sides = [image.getpixel((round(box["Left"] * 511), round(0.7 * 383))) for box in boxes]
    distance = [math.dist(sides[0], other) for other in sides[1:]]  # type: ignore[arg-type]
    assert distance[0] < 30
    assert distance[1] > 60


def test_a_small_picture_is_enlarged_so_that_names_do_not_cover_it() -> None:
    assert max(drawn([Finding("Person", 97.3, BOX)], (80, 60)).size) == LEAST_SIDE


def test_nothing_of_the_originals_metadata_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    data = annotate(jpeg(exif=exif.tobytes(), comment=b"a comment", icc_profile=b"profile" * 20), [Finding("Person", 90, BOX)])
    assert b"at home" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert dict(image.getexif()) == {}
        assert not {"comment", "icc_profile", "exif", "xmp"} & set(image.info)


def test_even_noise_fits_into_a_message() -> None:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (512, 512), os.urandom(512 * 512 * 3)).save(buffer, "JPEG", quality=95)
    assert len(buffer.getvalue()) > MAX_BYTES
    assert len(annotate(buffer.getvalue(), [Finding("Noise", 50, BOX)])) <= MAX_BYTES


ANY_BOX = st.fixed_dictionaries({name: st.floats(-2, 3) for name in ("Left", "Top", "Width", "Height")})

FINDINGS = st.builds(Finding, st.text(max_size=60) | st.text(min_size=41, max_size=60), st.floats(0, 100), st.none() | ANY_BOX)


@settings(max_examples=60)
@given(
    st.lists(FINDINGS, max_size=MAX_BOXES) | st.lists(FINDINGS, min_size=MAX_BOXES + 1, max_size=2 * MAX_BOXES),
    st.sampled_from([(512, 384), (384, 512), (512, 1), (1, 512), (100, 90)]),
)
def test_any_findings_on_any_thumbnail_make_a_picture(findings: list[Finding], size: tuple[int, int]) -> None:
    image = drawn(findings, size)
    assert image.format == "JPEG"


# ---------------------------------------------------------------------------------------------------------------- findings


def instance(confidence: float, left: float) -> dict[str, Any]:
    return {"Confidence": confidence, "BoundingBox": {"Left": left, "Top": 0.1, "Width": 0.1, "Height": 0.2}}


def match(label: str = "Car", count: int = 1, box: dict[str, float] | None = None) -> Match:
    return Match("vehicle", label, "parent", 91.0, count, box)


CAR = {"Name": "Car", "Confidence": 99.0, "Instances": [instance(60, 0.1), instance(99, 0.3), instance(80, 0.5)]}


def test_as_many_instances_are_shown_as_were_counted_the_highest_confidence_first() -> None:
    assert [finding.confidence for finding in findings_of([match(count=2)], [CAR])] == [99, 80]
    assert [finding.confidence for finding in findings_of([match(count=9)], [CAR])] == [99, 80, 60]


def test_the_box_of_the_match_itself_is_always_among_them() -> None:
    own = CAR["Instances"][0]["BoundingBox"]  # type: ignore[index]
    assert [finding.box for finding in findings_of([match(box=own)], [CAR])] == [own]
    elsewhere = {"Left": 0, "Top": 0, "Width": 1, "Height": 1}
    assert [finding.box for finding in findings_of([match(box=elsewhere)], [])] == [elsewhere]


def test_what_has_no_instances_is_named_without_a_box() -> None:
    assert findings_of([match("Beach")], [{"Name": "Beach", "Confidence": 91.0, "Instances": []}]) == [
        Finding("Beach", 91.0, None)
    ]
    assert findings_of([match("Explicit")], [CAR]) == [Finding("Explicit", 91.0, None)]


def test_a_label_that_matched_for_several_terms_is_shown_once() -> None:
    assert len(findings_of([match(), match("car")], [CAR])) == 1


def test_a_name_from_outside_is_one_line() -> None:
    assert findings_of([match("a\nb\u202e")], [])[0].name == "a b"
