"""The wire layer and the request's parameters, without a picture."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from local.emulator.rekognition.engine import Engine
from local.emulator.rekognition.errors import InvalidParameter, Serialization, UnknownOperation
from local.emulator.rekognition.validation import answer_problems, check_request
from local.emulator.rekognition.wire import CONTENT_TYPE, operation_of, payload_of, respond


def never_fetched(bucket: str, key: str, version: str | None) -> bytes:
    raise AssertionError("nothing should be read")


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["cv2", "numpy", "PIL", "onnxruntime", "botocore", "boto3"]
    script = f"import sys, local.emulator.rekognition; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_operation_is_read_from_the_target_header() -> None:
    assert operation_of("RekognitionService.DetectLabels") == "DetectLabels"


@pytest.mark.parametrize("target", [None, "", "DetectLabels", "DynamoDB_20120810.GetItem", "RekognitionService."])
def test_a_target_of_another_service_is_an_unknown_operation(target: str | None) -> None:
    with pytest.raises(UnknownOperation):
        operation_of(target)


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_a_body_that_is_no_json_object_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(Serialization):
        payload_of(body)


def test_an_error_is_answered_with_its_type_and_message() -> None:
    status, headers, body = respond(Engine(), "RekognitionService.DetectLabels", b"{}", never_fetched)
    answer = json.loads(body)
    assert (status, answer["__type"]) == (400, "InvalidParameterException")
    assert "image" in answer["Message"]
    assert headers["Content-Type"] == CONTENT_TYPE


def test_an_operation_that_is_not_offered_names_those_that_are() -> None:
    status, answer = Engine().handle("RecognizeCelebrities", {}, never_fetched)
    assert (status, answer["__type"]) == (400, "UnknownOperationException")
    assert "DetectLabels" in answer["Message"]


IMAGE = {"Image": {"S3Object": {"Bucket": "photos", "Name": "a.jpg"}}}


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ({"MinConfidence": 101}, "'minConfidence' failed to satisfy constraint: Member must have value less than"),
        ({"MinConfidence": "80"}, "'minConfidence' must be of type float"),
        ({"MinConfidence": True}, "'minConfidence' must be of type float"),
        ({"MaxLabels": -1}, "'maxLabels' failed to satisfy constraint: Member must have value greater than"),
        ({"Features": ["LABELS"]}, "Member must satisfy enum value set"),
        ({"Settings": {"GeneralLabels": {"LabelInclusionFilters": ["Dog!"]}}}, "Member must satisfy pattern"),
        ({"Settings": {"GeneralLabels": {"LabelInclusionFilters": ["x" * 51]}}}, "less than or equal to 50"),
        ({"Settings": {"ImageProperties": {"MaxDominantColors": 21}}}, "less than or equal to 20"),
        ({"Image": {"S3Object": {"Bucket": "a b", "Name": "k"}}}, "Member must satisfy pattern"),
        ({"Image": {"Bytes": b""}}, "greater than or equal to 1"),
        ({"Image": []}, "'image' must be a structure"),
        ({"Image": None}, "Value null at 'image'"),
    ],
)
def test_a_parameter_that_breaks_the_service_model_is_refused(extra: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidParameter, match="1 validation error detected") as refusal:
        check_request("DetectLabels", {**IMAGE, **extra})
    assert complaint in str(refusal.value)


def test_every_broken_constraint_is_listed() -> None:
    with pytest.raises(InvalidParameter, match="2 validation errors detected"):
        check_request("DetectLabels", {**IMAGE, "MaxLabels": -1, "MinConfidence": -1})


def test_good_parameters_and_absent_ones_pass() -> None:
    check_request("DetectLabels", {**IMAGE, "MinConfidence": 55.5, "MaxLabels": None, "SomethingNewer": 1})


@pytest.mark.parametrize(
    "image",
    [{}, {"Bytes": "aGk=", "S3Object": {"Bucket": "photos", "Name": "k"}}, {"S3Object": {"Bucket": "photos"}}],
)
def test_an_image_must_be_either_bytes_or_a_whole_object_address(image: dict[str, Any]) -> None:
    _, answer = Engine().handle("DetectLabels", {"Image": image}, never_fetched)
    assert answer["__type"] == "InvalidParameterException"


def test_bytes_that_are_not_base64_are_a_serialization_error() -> None:
    _, answer = Engine().handle("DetectLabels", {"Image": {"Bytes": "no base64!"}}, never_fetched)
    assert answer["__type"] == "SerializationException"


def test_an_answer_with_a_member_of_no_known_name_is_a_problem() -> None:
    assert answer_problems("DetectLabels", {"Labels": [{"Name": "Dog", "Sureness": 3}]}) == [
        "'labels.1.member.Sureness' is not a member of Label"
    ]
