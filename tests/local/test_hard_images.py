"""All difficult images on the running stack at the same time: each is analyzed or rejected with a reason, none fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from imagewatch.errors import ImageRejected
from imagewatch.images.decoding import examine
from tests.hard_images import BOMBS, FORMATS, GREYS, NO_IMAGES, ODDITIES
from tests.recorded_images import record

from .pipeline import Pipeline
from .running_stack import started

# One of each kind. tests/unit/test_pictures.py covers each bit depth and orientation.
CHOSEN = {
    **{name: FORMATS[name][1] for name in ("JPEG baseline", "JPEG progressive", "JPEG CMYK", "JPEG of a phone (MPO)")},
    **{name: FORMATS[name][1] for name in ("PNG palette 1 bit", "PNG alpha", "PNG animated", "PNG 16 bit")},
    **{name: FORMATS[name][1] for name in ("WebP lossy", "WebP animated", "HEIC", "AVIF", "TIFF of many pages", "TIFF tiled")},
    **{name: FORMATS[name][1] for name in ("GIF animated", "BMP palette")},
    **{name: GREYS[name][1] for name in ("JPEG grey", "PNG interlaced", "PNG 16 bit grey", "TIFF 16 bit", "TIFF float")},
    **{name: make for name, make in ODDITIES.items() if "orientation" not in name},
    "JPEG, orientation 6": ODDITIES["JPEG, orientation 6"],
    **{f"bomb: {name}": lambda name=name: BOMBS[name] for name in ("PNG", "JPEG progressive", "TIFF", "WebP")},
    **{
        f"no image: {name}": lambda name=name: NO_IMAGES[name][0]
        for name in ("PDF with a JPEG inside", "SVG", "text", "MP4", "zeros")
    },
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, dict[str, Any]]]]:
    """For each image, the result of validation alone (format or reason), and its record."""
    bodies = {name: make() for name, make in CHOSEN.items()}
    recordings = tmp_path_factory.mktemp("recordings")
    expected = {name: expectation(body, recordings) for name, body in bodies.items()}
    with started(tmp_path_factory.mktemp("hard"), "--recorded", str(recordings)) as stack:
        pipeline = Pipeline(stack)
        with ThreadPoolExecutor(4) as pool:
            # The name has no extension, so only the content decides.
            keys = dict(zip(bodies, pool.map(lambda body: pipeline.upload(body, "picture.jpg"), bodies.values()), strict=True))
        yield {name: (expected[name], pipeline.ended(key)) for name, key in keys.items()}


def expectation(body: bytes, recordings: Path) -> str:
    try:
        picture = examine(body)
    except ImageRejected as rejected:
        return str(rejected)
    record(recordings, picture.converted or body, {"Hard": 90.0})
    return picture.format


@pytest.mark.parametrize("name", CHOSEN)
def test_a_hard_image_is_analysed_or_rejected_with_a_sentence(name: str, ended: dict[str, tuple[str, dict[str, Any]]]) -> None:
    expected, found = ended[name]
    if expected.endswith("."):
        assert (found["Status"], found["Reason"]) == ("REJECTED", expected)
    else:
        assert (found["Status"], found.get("Reason")) == ("ANALYZED", None)
        assert found["Format"] == expected
        assert found["Labels"]


def test_the_images_cover_both_endings(ended: dict[str, tuple[str, dict[str, Any]]]) -> None:
    statuses = [found["Status"] for _, found in ended.values()]
    assert len(statuses) >= 40
    assert statuses.count("ANALYZED") >= 20
    assert statuses.count("REJECTED") >= 12


def test_a_record_names_exactly_the_bytes_that_were_sent(ended: dict[str, tuple[str, dict[str, Any]]]) -> None:
    _, found = ended["JPEG baseline"]
    assert found["Sha256"] == hashlib.sha256(CHOSEN["JPEG baseline"]()).hexdigest()
