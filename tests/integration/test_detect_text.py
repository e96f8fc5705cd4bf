"""Detect Text against a stubbed Rekognition."""

from __future__ import annotations

from typing import Any

from botocore.stub import ANY, Stubber

from .conftest import Stack


def test_lines_and_words_keep_their_order_and_their_boxes(stack: Stack, rekognition: Stubber, sample: Any) -> None:
    geometry = {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.1}}
    detections = [
        {"DetectedText": "VISITORS", "Type": "LINE", "Id": 0, "Confidence": 90.5, "Geometry": geometry},
        {"DetectedText": "VISITORS", "Type": "WORD", "Id": 1, "ParentId": 0, "Confidence": 99.0, "Geometry": geometry},
    ]
    rekognition.add_response("detect_text", {"TextDetections": detections, "TextModelVersion": "3.0"}, {"Image": ANY})

    found = stack.handler("DetectText")(sample("detect_text"))

    assert [entry["Type"] for entry in found["Text"]] == ["LINE", "WORD"]
    assert found["Text"][0]["BoundingBox"] == geometry["BoundingBox"]
    assert found["ModelVersion"] == "3.0"
