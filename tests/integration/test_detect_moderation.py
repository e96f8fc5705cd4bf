"""Detect Moderation against a stubbed Rekognition: chains of parents, and the difference between clean and not looked at."""

from __future__ import annotations

from typing import Any

from botocore.stub import ANY, Stubber

from .conftest import Stack

ASKED = {"Image": ANY, "MinConfidence": 50.0}


def test_each_label_carries_its_chain_of_parents(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    labels = [
        {"Name": "Violence", "ParentName": "", "Confidence": 92.0, "TaxonomyLevel": 1},
        {"Name": "Graphic Violence", "ParentName": "Violence", "Confidence": 92.0, "TaxonomyLevel": 2},
        {"Name": "Blood & Gore", "ParentName": "Graphic Violence", "Confidence": 91.0, "TaxonomyLevel": 3},
    ]
    rekognition.add_response("detect_moderation_labels", {"ModerationLabels": labels, "ModerationModelVersion": "7.0"}, ASKED)

    found = stack.handler("DetectModeration")(sample("detect_moderation"))

    assert found["Status"] == "CHECKED"
    assert found["Labels"][-1]["Name"] == "Blood & Gore"
    assert found["Labels"][-1]["Parents"] == ["Graphic Violence", "Violence"]


def test_an_image_without_unwanted_content_was_checked(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    rekognition.add_response("detect_moderation_labels", {"ModerationLabels": [], "ModerationModelVersion": "7.0"}, ASKED)
    found = stack.handler("DetectModeration")(sample("detect_moderation"))
    assert found == {"Status": "CHECKED", "Labels": [], "ModelVersion": "7.0"}


def test_a_service_that_names_no_model_has_checked_nothing(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    rekognition.add_response("detect_moderation_labels", {"ModerationLabels": [], "ModerationModelVersion": "none"}, ASKED)
    assert stack.handler("DetectModeration")(sample("detect_moderation"))["Status"] == "NOT_CHECKED"
