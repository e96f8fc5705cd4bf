"""Detect Labels against a stubbed Rekognition: what is asked, what comes back, and which errors have which name."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from imagewatch.errors import ImageRejected, Throttled, Unavailable

from .conftest import Event, Stack

ANSWER = {
    "Labels": [
        {"Name": "Vehicle", "Confidence": 98.123456, "Parents": [], "Aliases": [], "Categories": [], "Instances": []},
        {
            "Name": "Car",
            "Confidence": 99.5,
            "Parents": [{"Name": "Vehicle"}],
            "Aliases": [{"Name": "Automobile"}],
            "Categories": [{"Name": "Vehicles and Automotive"}],
            "Instances": [{"BoundingBox": {"Left": -0.01, "Top": 0.5, "Width": 0.2, "Height": 0.6}, "Confidence": 97.0}],
        },
    ],
    "LabelModelVersion": "3.0",
}


def test_asks_once_from_the_floor_up_and_keeps_what_was_found(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    event: Event = sample("detect_labels")
    s3_object = {"Bucket": event["Object"]["Bucket"], "Name": event["Object"]["Key"]}
    expected = {"Image": {"S3Object": s3_object}, "MinConfidence": 40.0, "MaxLabels": 1000}
    rekognition.add_response("detect_labels", ANSWER, expected)

    found = stack.handler("DetectLabels")(event)

    assert [label["Name"] for label in found["Labels"]] == ["Car", "Vehicle"]
    car = found["Labels"][0]
    assert (car["Parents"], car["Aliases"], car["Categories"]) == (["Vehicle"], ["Automobile"], ["Vehicles and Automotive"])
    assert car["Instances"][0]["BoundingBox"] == {"Left": 0.0, "Top": 0.5, "Width": 0.19, "Height": 0.5}
    assert found["ModelVersion"] == "3.0"


def test_a_versioned_object_is_named_with_its_version(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    event: Event = sample("detect_labels")
    event["Object"]["VersionId"] = "v1"
    s3_object = {"Bucket": event["Object"]["Bucket"], "Name": event["Object"]["Key"], "Version": "v1"}
    expected = {"Image": {"S3Object": s3_object}, "MinConfidence": ANY, "MaxLabels": ANY}
    rekognition.add_response("detect_labels", ANSWER, expected)
    assert stack.handler("DetectLabels")(event)["ModelVersion"] == "3.0"


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
def test_a_throttle_that_stays_is_named_throttled(stack: Stack, rekognition: Stubber, sample: Any, code: str) -> None:
    rekognition.add_client_error("detect_labels", code, "Provisioned Rate exceeded", 400)
    with pytest.raises(Throttled, match="Provisioned Rate exceeded"):
        stack.handler("DetectLabels")(sample("detect_labels"))


def test_a_fault_of_rekognition_is_named_unavailable(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    rekognition.add_client_error("detect_labels", "InternalServerError", "Internal server error", 500)
    with pytest.raises(Unavailable):
        stack.handler("DetectLabels")(sample("detect_labels"))


@pytest.mark.parametrize("code", ["InvalidImageFormatException", "ImageTooLargeException"])
def test_a_refusal_of_the_image_rejects_it_and_is_not_retried(stack: Stack, rekognition: Stubber, sample: Any, code: str) -> None:
    rekognition.add_client_error("detect_labels", code, "Request has invalid image format", 400)
    with pytest.raises(ImageRejected, match=r"Rekognition could|Rekognition refused"):
        stack.handler("DetectLabels")(sample("detect_labels"))


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidS3ObjectException"])  # the object was there a moment ago
def test_a_missing_permission_keeps_its_own_name(stack: Stack, rekognition: Stubber, sample: Any, code: str) -> None:
    rekognition.add_client_error("detect_labels", code, "not authorized", 400)
    with pytest.raises(ClientError, match=code):
        stack.handler("DetectLabels")(sample("detect_labels"))
