"""What a request leaves out of a full answer; and the vocabulary that labels are made of."""

from __future__ import annotations

from typing import Any

import pytest

from local.emulator.rekognition import filtering
from local.emulator.rekognition.detections import Box, Detection, strongest
from local.emulator.rekognition.labels import labels_from
from local.emulator.rekognition.taxonomy import label_for, term

PARKED = {
    "Labels": [
        {
            "Name": "Car",
            "Confidence": 91.0,
            "Categories": [{"Name": "Vehicles and Automotive"}],
            "Instances": [{"Confidence": 91.0, "DominantColors": [{"CSSColor": "red"}, {"CSSColor": "black"}]}],
        },
        {"Name": "Vehicle", "Confidence": 95.0, "Categories": [{"Name": "Vehicles and Automotive"}]},
        {"Name": "Dog", "Confidence": 60.0, "Categories": [{"Name": "Animals and Pets"}]},
        {"Name": "Shadow", "Confidence": 54.9, "Categories": []},
    ],
    "LabelModelVersion": "3.0",
    "ImageProperties": {"DominantColors": [1, 2, 3], "Foreground": {"DominantColors": [4, 5, 6]}},
}


def names(request: dict[str, Any]) -> list[str]:
    return [label["Name"] for label in filtering.apply("DetectLabels", PARKED, request)["Labels"]]


def general(**filters: list[str]) -> dict[str, Any]:
    return {"Settings": {"GeneralLabels": filters}}


def test_labels_are_ordered_by_confidence_from_55_up() -> None:
    assert names({}) == ["Vehicle", "Car", "Dog"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"MinConfidence": 0}, ["Vehicle", "Car", "Dog", "Shadow"]),
        ({"MinConfidence": 91}, ["Vehicle", "Car"]),
        ({"MaxLabels": 1}, ["Vehicle"]),
        (general(LabelInclusionFilters=["Dog"]), ["Dog"]),
        (general(LabelExclusionFilters=["Vehicle"]), ["Car", "Dog"]),
        (general(LabelCategoryInclusionFilters=["Vehicles and Automotive"]), ["Vehicle", "Car"]),
        (general(LabelCategoryExclusionFilters=["Vehicles and Automotive"]), ["Dog"]),
        (general(LabelInclusionFilters=["Dog"], LabelCategoryInclusionFilters=["Vehicles and Automotive"]), None),
        (general(LabelInclusionFilters=["Dog", "Car"], LabelExclusionFilters=["Dog"]), ["Car"]),
        ({"Features": ["IMAGE_PROPERTIES"]}, []),
    ],
)
def test_a_request_gets_the_labels_it_asks_for(asked: dict[str, Any], expected: list[str] | None) -> None:
    assert names(asked) == (["Vehicle", "Car", "Dog"] if expected is None else expected)


def test_colours_are_left_out_unless_they_are_asked_for() -> None:
    answer = filtering.apply("DetectLabels", PARKED, {})
    assert "ImageProperties" not in answer
    assert answer["Labels"][1]["Instances"][0]["DominantColors"] == []


def test_colours_are_cut_to_the_number_asked_for() -> None:
    asked = {
        "Features": ["GENERAL_LABELS", "IMAGE_PROPERTIES"],
        "Settings": {"ImageProperties": {"MaxDominantColors": 1}},
    }
    answer = filtering.apply("DetectLabels", PARKED, asked)
    assert answer["ImageProperties"] == {"DominantColors": [1], "Foreground": {"DominantColors": [4]}}
    assert answer["Labels"][1]["Instances"][0]["DominantColors"] == [{"CSSColor": "red"}]


def test_filtering_leaves_the_full_answer_as_it_was() -> None:
    filtering.apply("DetectLabels", PARKED, {"MaxLabels": 0})
    assert len(PARKED["Labels"]) == 4
    assert "ImageProperties" in PARKED


def test_moderation_labels_come_from_50_up_unless_asked_otherwise() -> None:
    full = {"ModerationLabels": [{"Name": "Violence", "Confidence": 49.0}, {"Name": "Weapons", "Confidence": 51.0}]}
    kept = filtering.apply("DetectModerationLabels", full, {})["ModerationLabels"]
    assert [label["Name"] for label in kept] == ["Weapons"]
    assert len(filtering.apply("DetectModerationLabels", full, {"MinConfidence": 10})["ModerationLabels"]) == 2


def word(identity: int, parent: int, left: float, confidence: float = 99.0) -> dict[str, Any]:
    box = {"Left": left, "Top": 0.1, "Width": 0.1, "Height": 0.05}
    return {"Type": "WORD", "Id": identity, "ParentId": parent, "Confidence": confidence, "Geometry": {"BoundingBox": box}}


def line(identity: int, left: float) -> dict[str, Any]:
    return {**word(identity, 0, left), "Type": "LINE"}


SIGN = {"TextDetections": [line(0, 0.1), line(1, 0.6), word(2, 0, 0.1), word(3, 1, 0.6, confidence=70.0)]}


def identities(request: dict[str, Any]) -> list[int]:
    return [each["Id"] for each in filtering.apply("DetectText", SIGN, request)["TextDetections"]]


def test_a_doubtful_word_goes_and_takes_its_empty_line_along() -> None:
    assert identities({}) == [0, 2]
    assert identities({"Filters": {"WordFilter": {"MinConfidence": 60}}}) == [0, 1, 2, 3]
    assert identities({"Filters": {"WordFilter": {"MinBoundingBoxHeight": 0.2}}}) == []


@pytest.mark.parametrize(
    "region",
    [
        {"BoundingBox": {"Left": 0, "Top": 0, "Width": 0.5, "Height": 1}},
        {"Polygon": [{"X": 0, "Y": 0}, {"X": 0.5, "Y": 0}, {"X": 0.5, "Y": 1}, {"X": 0, "Y": 1}]},
    ],
)
def test_text_outside_the_regions_of_interest_is_left_out(region: dict[str, Any]) -> None:
    words = {"MinConfidence": 0}
    assert identities({"Filters": {"WordFilter": words, "RegionsOfInterest": [region]}}) == [0, 2]


def test_face_attributes_beyond_the_default_come_when_named() -> None:
    full = {"FaceDetails": [{"Confidence": 99.0, "AgeRange": {"Low": 30, "High": 40}, "Smile": {"Value": True}}]}
    assert filtering.apply("DetectFaces", full, {})["FaceDetails"] == [{"Confidence": 99.0}]
    aged = filtering.apply("DetectFaces", full, {"Attributes": ["AGE_RANGE"]})["FaceDetails"][0]
    assert set(aged) == {"Confidence", "AgeRange"}
    assert filtering.apply("DetectFaces", full, {"Attributes": ["ALL"]}) == full


@pytest.mark.parametrize(
    ("called", "label"),
    [
        ("cell phone", "Mobile Phone"),
        ("CELLPHONE", "Mobile Phone"),
        ("tvmonitor", "TV"),
        ("stop sign", "Stopsign"),
        ("n02123045 tabby, tabby cat", "Tabby"),
        ("potted_plant", "Potted Plant"),
        ("jack-in-the-box", "Jack-in-the-box"),
        ("bird of paradise", "Bird of Paradise"),
        ("USB stick", "USB Stick"),
        ("N/A", None),
        ("background", None),
    ],
)
def test_a_class_name_becomes_a_label_of_rekognitions_vocabulary(called: str, label: str | None) -> None:
    assert label_for(called) == label


def test_a_label_knows_all_its_ancestors_aliases_and_categories() -> None:
    assert term("Car") == (
        "Car",
        ("Vehicle", "Transportation"),
        ("Automobile",),
        ("Vehicles and Automotive",),
    )
    assert set(term("Dog").parents) == {"Canine", "Pet", "Mammal", "Animal"}
    assert term("Thingamajig") == ("Thingamajig", (), (), ())


def test_each_ancestor_is_a_label_with_the_highest_confidence_of_its_descendants() -> None:
    here = Box(0.1, 0.1, 0.2, 0.2)
    labels = labels_from([Detection("Car", 70, here), Detection("Car", 90, here), Detection("Bus", 80, here)])
    found = {label["Name"]: (label["Confidence"], len(label["Instances"])) for label in labels}
    assert found == {"Car": (90, 2), "Bus": (80, 1), "Vehicle": (90, 0), "Transportation": (90, 0)}


def test_overlapping_boxes_of_one_name_are_one_thing() -> None:
    first, shifted, away = Box(0.1, 0.1, 0.4, 0.4), Box(0.15, 0.1, 0.4, 0.4), Box(0.6, 0.6, 0.3, 0.3)
    seen = [Detection("Dog", 60, shifted), Detection("Dog", 90, first), Detection("Dog", 70, away), Detection("Cat", 50, first)]
    assert [(each.name, each.confidence) for each in strongest(seen, 0.45)] == [("Dog", 90), ("Dog", 70), ("Cat", 50)]
