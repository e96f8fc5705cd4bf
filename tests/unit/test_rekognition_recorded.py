"""Recorded answers: replayed by the image's hash, filtered like any other answer, and refused by name when they are bad."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.emulator.rekognition import Engine
from local.emulator.rekognition.errors import EngineSetup

ANSWER = {
    "Labels": [
        {"Name": "Lighthouse", "Confidence": 98.5, "Instances": [], "Parents": [{"Name": "Tower"}]},
        {"Name": "Tower", "Confidence": 71.0},
    ],
    "LabelModelVersion": "3.0",
}


def picture(colour: str = "navy", side: int = 100) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


def record(directory: Path, content: bytes, answers: dict[str, Any]) -> Path:
    path = directory / f"{hashlib.sha256(content).hexdigest()}.json"
    path.write_text(json.dumps(answers))
    return path


def ask(engine: Engine, content: bytes, operation: str = "DetectLabels", **request: Any) -> tuple[int, dict[str, Any]]:
    image = {"Image": {"S3Object": {"Bucket": "photos", "Name": "a.png"}}}
    return engine.handle(operation, {**image, **request}, lambda bucket, key, version: content)


def test_a_recorded_answer_is_replayed_by_content(tmp_path: Path) -> None:
    record(tmp_path, picture(), {"DetectLabels": {**ANSWER, "ResponseMetadata": {}}, "source": "an account of ours"})
    status, answer = ask(Engine(tmp_path), picture())
    assert status == 200
    assert [label["Name"] for label in answer["Labels"]] == ["Lighthouse", "Tower"]
    assert answer["LabelModelVersion"] == "3.0"
    assert "ResponseMetadata" not in answer


def test_the_requests_floor_holds_for_a_recorded_answer(tmp_path: Path) -> None:
    record(tmp_path, picture(), {"DetectLabels": ANSWER})
    _, answer = ask(Engine(tmp_path), picture(), MinConfidence=90)
    assert [label["Name"] for label in answer["Labels"]] == ["Lighthouse"]


def test_replaying_neither_decodes_the_picture_nor_loads_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = picture()[:60]  # the header is whole, the pixels are missing
    record(tmp_path, half, {"DetectLabels": ANSWER})
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert ask(Engine(tmp_path), half)[0] == 200


def test_rekognitions_limits_still_apply_to_the_picture(tmp_path: Path) -> None:
    small = picture(side=79)
    record(tmp_path, small, {"DetectLabels": ANSWER})
    assert ask(Engine(tmp_path), small)[1]["__type"] == "InvalidParameterException"


def test_an_operation_without_a_recording_is_answered_by_the_engine(tmp_path: Path) -> None:
    record(tmp_path, picture(), {"DetectLabels": ANSWER})
    _, answer = ask(Engine(tmp_path), picture(), "DetectModerationLabels")
    assert answer == {"ModerationLabels": [], "ModerationModelVersion": "none"}


def test_a_recording_added_while_the_engine_runs_is_found(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    record(tmp_path, picture(), {"DetectText": {"TextDetections": [], "TextModelVersion": "3.0"}})
    assert ask(engine, picture(), "DetectText")[1]["TextModelVersion"] == "3.0"


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"DetectLabels": {"Labels": [{"Name": "Dog", "Confidence": 180}]}}, "less than or equal to 100"),
        ({"DetectLabels": {"Labels": [{"Name": "Dog"}]}}, "Labels\\[0\\] has no Confidence"),
        ({"DetectLabels": {"Label": []}}, "'Label' is not a member"),
        ({"DetectLabels": []}, "must be a structure"),
        ({"DescribeCollection": {}}, "'DescribeCollection' is not replayed"),
    ],
)
def test_a_bad_recording_stops_the_start_and_is_named(tmp_path: Path, answers: dict[str, Any], complaint: str) -> None:
    path = record(tmp_path, picture(), answers)
    with pytest.raises(EngineSetup, match=complaint) as refusal:
        Engine(tmp_path)
    assert path.name in str(refusal.value)


@pytest.mark.parametrize(("name", "content"), [("holiday.json", "{}"), (f"{'0' * 64}.json", "{")])
def test_a_file_that_is_no_recording_stops_the_start_and_is_named(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(EngineSetup, match=name):
        Engine(tmp_path)


def test_a_bad_recording_added_later_is_an_internal_error_that_names_it(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    path = record(tmp_path, picture(), {"DetectLabels": []})
    status, answer = ask(engine, picture())
    assert (status, answer["__type"]) == (500, "InternalServerError")
    assert path.name in answer["Message"]
