"""Text detection enabled by its parameter: the workflow runs Detect Text, and the record has the text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from .pipeline import Pipeline
from .running_stack import ROOT, started

SAMPLE = ROOT / "samples" / "qr-code-poster-on-wall.jpg"
BOX = {"Left": 0.4, "Top": 0.7, "Width": 0.2, "Height": 0.1}
ANSWER = {
    "TextDetections": [
        {"DetectedText": "VISITORS", "Type": "LINE", "Id": 0, "Confidence": 98.5, "Geometry": {"BoundingBox": BOX}}
    ],
    "TextModelVersion": "3.0",
}


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    recorded = tmp_path_factory.mktemp("recorded")
    name = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    (recorded / f"{name}.json").write_text(json.dumps({"DetectText": ANSWER, "source": "written for this test"}))
    state = tmp_path_factory.mktemp("state")
    with started(state, "--parameter", "TextDetection=on", "--recorded", str(recorded)) as stack:
        yield Pipeline(stack)


def test_the_text_in_the_image_is_stored(reading: Pipeline) -> None:
    record = reading.ended(reading.upload(SAMPLE.read_bytes()))
    assert "Detect Text" in reading.states(record)
    assert record["Text"] == [{"Text": "VISITORS", "Type": "LINE", "Confidence": 98.5, "BoundingBox": BOX}]
    assert record["ModelVersions"]["Text"] == "3.0"


def test_without_the_text_the_labels_are_kept_and_the_record_says_so(reading: Pipeline) -> None:
    reading.fault(service="rekognition", operation="DetectText", error="AccessDeniedException", rate=1)
    record = reading.ended(reading.upload(SAMPLE.read_bytes()))
    reading.clear()
    assert (record["Status"], "Text" in record) == ("ANALYZED", False)
    assert record["TextUnavailable"].startswith("Text could not be read: ")
