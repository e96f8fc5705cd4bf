"""When an image was taken: Exif, else the file, else the upload; values that make no sense are passed over."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagewatch.images import decoding, exif_time, taken
from imagewatch.images.version import ImageVersion, is_image_key, normal_path, owner_of, source_of

NOW = "2026-11-28T12:00:00.000Z"
IMAGE = ImageVersion("bucket", "uploads/gate/a.jpg", "v1", "e", "0" * 64, 10, "2026-11-28T11:59:58.120Z", "lease")


def jpeg(**exif: Any) -> bytes:
    picture, tags = Image.new("RGB", (120, 90), "green"), Image.Exif()
    names = {"date": 0x9003, "subsec": 0x9291, "offset": 0x9011}
    tags.get_ifd(0x8769).update({names[name]: value for name, value in exif.items()})
    content = io.BytesIO()
    picture.save(content, "JPEG", exif=tags)
    return content.getvalue()


def of_file(data: bytes, **metadata: str) -> dict[str, Any]:
    return taken.attributes(IMAGE, decoding.examine(data).taken, metadata, NOW)


def test_exif_with_fraction_and_offset() -> None:
    data = jpeg(date="2026:05:06 23:30:15", subsec="25", offset="-07:00")
    assert of_file(data, mtime="2026-05-07T08:00:00.000Z") == {
        "TakenAt": "2026-05-07T06:30:15.250Z",
        "TakenFrom": "exif",
        "TakenMinute": 23 * 60 + 30,
        "TakenOffset": -420,
    }


def test_exif_without_an_offset_is_taken_as_utc() -> None:
    assert of_file(jpeg(date="2026:05:06 23:30:15")) == {
        "TakenAt": "2026-05-06T23:30:15.000Z",
        "TakenFrom": "exif",
        "TakenMinute": 23 * 60 + 30,
    }


HOSTILE = [
    "0000:00:00 00:00:00", "9999:12:31 23:59:59", "2026:13:40 10:00:00", "    :  :     :  :  ", "", "2027:01:01 00:00:00",
    "0001:01:01 00:00:00", "2026:05:06", "yesterday", "1700:01:01 00:00:00",
]  # fmt: skip


@pytest.mark.parametrize("date", HOSTILE)
def test_hostile_exif_gives_way_to_the_files_time(date: str) -> None:
    found = of_file(jpeg(date=date), mtime="2026-05-07T08:05:00.000Z")
    assert found == {"TakenAt": "2026-05-07T08:05:00.000Z", "TakenFrom": "file", "TakenMinute": 8 * 60 + 5}


@pytest.mark.parametrize("value", [None, 5, 3.5, (1, 2), b"\xff\xfe", b"2026:05:06 10:00:00\0", ["2026"], {}])
def test_values_of_any_type_are_read_or_passed_over(value: Any) -> None:
    found = exif_time.parse(value, value, value)
    assert (found is not None) == (value == b"2026:05:06 10:00:00\0")


@given(st.text(max_size=30), st.text(max_size=8), st.text(max_size=8))
def test_no_text_breaks_the_parser(date: str, subsec: str, offset: str) -> None:
    exif_time.parse(date, subsec, offset)
    exif_time.parse("2026:05:06 10:00:00", subsec, offset)


OFFSETS = [
    ("+05:30", 330),
    ("-0330", -210),
    ("Z", 0),
    ("+99:00", None),
    ("+14:01", None),
    ("", None),
]


@pytest.mark.parametrize(("offset", "minutes"), OFFSETS)
def test_offsets(offset: str, minutes: int | None) -> None:
    found = exif_time.parse("2026:05:06 10:00:00", "", offset)
    assert found is not None
    assert found.offset == (None if minutes is None else timedelta(minutes=minutes))
    assert found.local == datetime(2026, 5, 6, 10)


MTIMES = [
    "unknown",
    "",
    "2026-05-07",
    "2026-05-07T08:00:00",
    "9999-12-31T23:59:59-14:00",
    "2031-01-01T00:00:00Z",
    "x" * 5000,
]


@pytest.mark.parametrize("mtime", MTIMES)
def test_without_a_plausible_time_the_upload_counts(mtime: str) -> None:
    found = of_file(jpeg(), mtime=mtime)
    assert found == {"TakenAt": IMAGE.uploaded_at, "TakenFrom": "upload", "TakenMinute": 11 * 60 + 59}


def test_a_files_time_with_an_offset_keeps_the_place() -> None:
    found = of_file(jpeg(), mtime="2026-05-07T01:05:00+09:00")
    assert found == {"TakenAt": "2026-05-06T16:05:00.000Z", "TakenFrom": "file", "TakenMinute": 65, "TakenOffset": 540}


@pytest.mark.parametrize(
    ("key", "owner", "source", "path", "is_image"),
    [
        ("uploads/gate/a.jpg", "", "gate", "gate/a.jpg", True),
        ("uploads/people/a.jpg", "", "people", "people/a.jpg", True),
        ("people/3f2a-77/holiday/a.jpg", "3f2a-77", "web", "web/holiday/a.jpg", True),
        ("people/3f2a-77/", "", "people", "people/3f2a-77/", False),
        ("people/3f2a-77/folder/", "3f2a-77", "web", "web/folder/", False),
        ("people/a.jpg", "", "people", "people/a.jpg", False),
        ("people//a.jpg", "", "people", "people//a.jpg", False),
        ("people/../uploads/a.jpg", "", "people", "people/../uploads/a.jpg", False),
        ("elsewhere/3f2a-77/a.jpg", "", "elsewhere", "elsewhere/3f2a-77/a.jpg", False),
    ],
)
def test_the_owner_is_the_person_in_whose_folder_an_image_lies(
    key: str, owner: str, source: str, path: str, is_image: bool
) -> None:
    assert (owner_of(key), source_of(key), normal_path(key), is_image_key(key)) == (owner, source, path, is_image)
