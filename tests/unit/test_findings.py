"""What Rekognition found, as it is stored: boxes inside the image, nothing left out in silence, "not checked" never "clean"."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.errors import AnalysisIncomplete, ImageRejected
from imagewatch.images.findings import combine, labels_found, moderation_found, not_moderated, text_found
from imagewatch.rules.matching import MAX_VERDICT_BYTES

STATE_BYTES = 262_144  # what Step Functions passes from state to state
BOX = {"Left": 0.123456789, "Top": 0.223456789, "Width": 0.323456789, "Height": 0.423456789}

LABELS = labels_found({"Labels": [{"Name": "Car", "Confidence": 98.5}], "LabelModelVersion": "3.0"})
MODERATION = moderation_found({"ModerationLabels": [], "ModerationModelVersion": "7.0"})
TEXT = text_found({"TextDetections": [{"DetectedText": "STOP", "Type": "LINE", "Confidence": 99}], "TextModelVersion": "3.0"})


def label(name: str = "Car", confidence: float = 90.0, instances: int = 0, **more: Any) -> dict[str, Any]:
    found = [{"Confidence": 88.12345, "BoundingBox": BOX, "DominantColors": [{"Red": 1}]}] * instances
    names = {
        "Parents": [{"Name": "Vehicle"}],
        "Aliases": [{"Name": "Automobile"}],
        "Categories": [{"Name": "Vehicles and Automotive"}],
    }
    return {"Name": name, "Confidence": confidence, "Instances": found, **names, **more}


def boxes_of(box: dict[str, float]) -> dict[str, float]:
    [found] = labels_found({"Labels": [label(Instances=[{"Confidence": 1, "BoundingBox": box}])]})["Labels"]
    placed: dict[str, float] = found["Instances"][0]["BoundingBox"]
    return placed


def unavailable(error: str = "Throttled", message: str = "Rate exceeded") -> dict[str, Any]:
    return {"Unavailable": {"Error": error, "Cause": json.dumps({"errorType": error, "errorMessage": message})}}


def test_a_label_keeps_what_search_and_watchlist_need() -> None:
    [found] = labels_found({"Labels": [label(instances=1)], "LabelModelVersion": "3.0"})["Labels"]
    assert found == {
        "Name": "Car",
        "Confidence": 90.0,
        "Parents": ["Vehicle"],
        "Aliases": ["Automobile"],
        "Categories": ["Vehicles and Automotive"],
        "Instances": [{"Confidence": 88.12, "BoundingBox": {"Left": 0.1235, "Top": 0.2235, "Width": 0.3234, "Height": 0.4234}}],
    }


def test_a_label_without_optional_fields_is_read() -> None:
    assert labels_found({"Labels": [{"Name": "Fog", "Confidence": 55}]}) == {
        "Labels": [{"Name": "Fog", "Confidence": 55.0, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}],
        "ModelVersion": "none",
    }


def test_no_labels_is_a_finding_too() -> None:
    assert labels_found({"Labels": [], "LabelModelVersion": "3.0"}) == {"Labels": [], "ModelVersion": "3.0"}


def test_labels_are_ordered_by_confidence_and_equal_ones_keep_their_order() -> None:
    found = labels_found({"Labels": [label("A", 60), label("B", 90), label("C", 60), label("D", 99)]})["Labels"]
    assert [entry["Name"] for entry in found] == ["D", "B", "A", "C"]


@pytest.mark.parametrize(
    ("given_by_service", "stored"), [(79.99999, 79.99), (79.996, 79.99), (80, 80.0), (91.3, 91.3), (99.99881744384766, 99.99)]
)
def test_confidence_is_never_rounded_up_over_a_threshold(given_by_service: float, stored: float) -> None:
    assert labels_found({"Labels": [label(confidence=given_by_service)]})["Labels"][0]["Confidence"] == stored


@given(st.floats(0, 100))
def test_stored_confidence_is_at_most_a_hundredth_lower(confidence: float) -> None:
    stored = labels_found({"Labels": [label(confidence=confidence)]})["Labels"][0]["Confidence"]
    assert confidence - 0.01 - 1e-9 < stored <= confidence


@pytest.mark.parametrize(
    ("box", "clamped"),
    [
        ((-0.1, -0.2, 0.5, 0.6), (0, 0, 0.4, 0.4)),
        ((0.8, 0.9, 0.5, 0.5), (0.8, 0.9, 0.2, 0.1)),
        ((-0.5, -0.5, 2, 2), (0, 0, 1, 1)),
        ((1.2, 0.1, 0.3, 0.3), (1, 0.1, 0, 0.3)),
        ((-0.5, 0.1, 0.3, 0.3), (0, 0.1, 0, 0.3)),
        ((0, 0, 1, 1), (0, 0, 1, 1)),
    ],
)
def test_a_box_is_cut_at_the_edges_of_the_image(box: tuple[float, ...], clamped: tuple[float, ...]) -> None:
    sides = ("Left", "Top", "Width", "Height")
    assert boxes_of(dict(zip(sides, box, strict=True))) == dict(zip(sides, clamped, strict=True))


SIDES = st.floats(-3, 3)


@given(SIDES, SIDES, st.floats(0, 3), st.floats(0, 3))
def test_every_box_lies_inside_the_image(left: float, top: float, width: float, height: float) -> None:
    box = boxes_of({"Left": left, "Top": top, "Width": width, "Height": height})
    assert all(0 <= value <= 1 for value in box.values())
    assert box["Left"] + box["Width"] <= 1 + 1e-9
    assert box["Top"] + box["Height"] <= 1 + 1e-9
    if left >= 0 and left + width <= 1:
        assert box["Left"] == pytest.approx(left, abs=0.0001)
        assert box["Width"] == pytest.approx(width, abs=0.0002)


def test_a_label_without_a_place_has_an_empty_box() -> None:
    assert boxes_of({}) == {"Left": 0, "Top": 0, "Width": 0, "Height": 0}


def test_moderation_carries_each_labels_chain_nearest_first() -> None:
    answer = {
        "ModerationModelVersion": "7.0",
        "ModerationLabels": [
            {"Name": "Weapons", "ParentName": "Violence", "TaxonomyLevel": 2, "Confidence": 80.0},
            {"Name": "Violence", "ParentName": "", "TaxonomyLevel": 1, "Confidence": 81.0},
            {"Name": "Weapon Violence", "ParentName": "Weapons", "TaxonomyLevel": 3, "Confidence": 79.0},
        ],
    }
    found = moderation_found(answer)
    assert (found["Status"], found["ModelVersion"]) == ("CHECKED", "7.0")
    assert [(entry["Name"], entry["Parents"], entry["TaxonomyLevel"]) for entry in found["Labels"]] == [
        ("Violence", [], 1),
        ("Weapons", ["Violence"], 2),
        ("Weapon Violence", ["Weapons", "Violence"], 3),
    ]


def test_a_moderation_label_keeps_a_parent_that_was_not_returned() -> None:
    answer = {"ModerationModelVersion": "7.0", "ModerationLabels": [{"Name": "New", "ParentName": "Violence", "Confidence": 60}]}
    [found] = moderation_found(answer)["Labels"]
    assert (found["Parents"], found["TaxonomyLevel"]) == (["Violence"], 2)


def test_a_chain_that_bites_its_tail_ends() -> None:
    circle = [{"Name": "A", "ParentName": "B", "Confidence": 60}, {"Name": "B", "ParentName": "A", "Confidence": 60}]
    found = moderation_found({"ModerationModelVersion": "7.0", "ModerationLabels": circle})["Labels"]
    assert [entry["Parents"] for entry in found] == [["B"], ["A"]]


def test_a_label_is_not_its_own_parent() -> None:
    # In taxonomy 6, "Gambling" has the parent "Gambling".
    twins = [{"Name": "Gambling", "ParentName": parent, "Confidence": 60} for parent in ("Gambling", "")]
    for answer in (twins, twins[::-1]):
        found = moderation_found({"ModerationModelVersion": "6.1", "ModerationLabels": answer})["Labels"]
        assert [entry["Parents"] for entry in found] == [[], []]


def test_nothing_found_by_a_model_is_checked() -> None:
    assert MODERATION == {"Status": "CHECKED", "Labels": [], "ModelVersion": "7.0"}


@pytest.mark.parametrize(
    "version", [{"ModerationModelVersion": "none"}, {"ModerationModelVersion": ""}, {"ModerationModelVersion": None}, {}]
)
def test_nothing_found_by_no_model_is_not_checked(version: dict[str, Any]) -> None:
    found = moderation_found({"ModerationLabels": [], **version})
    assert found == {
        "Status": "NOT_CHECKED",
        "Reason": "No moderation model examined this image.",
        "Labels": [],
        "ModelVersion": "none",
    }


def test_text_keeps_its_reading_order_and_its_boxes() -> None:
    lines = [("one", 60.0, "LINE"), ("two", 99.0, "LINE"), ("one", 61.0, "WORD")]
    answer = {
        "TextDetections": [
            {"DetectedText": text, "Confidence": confidence, "Type": kind, "Geometry": {"BoundingBox": BOX, "Polygon": []}}
            for text, confidence, kind in lines
        ],
        "TextModelVersion": "3.0",
    }
    found = text_found(answer)
    assert [(entry["Text"], entry["Confidence"], entry["Type"]) for entry in found["Text"]] == lines
    assert found["Text"][0]["BoundingBox"]["Left"] == 0.1235
    assert "Omitted" not in found


def test_text_without_geometry_is_read() -> None:
    assert TEXT["Text"][0]["BoundingBox"]["Width"] == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 100)), min_size=1, max_size=30))
def test_every_label_is_kept_or_counted_as_omitted(entries: list[tuple[float, int]]) -> None:
    answer = {"Labels": [label(f"L{n}", confidence, instances) for n, (confidence, instances) in enumerate(entries)]}
    found = labels_found(answer)
    assert len(found["Labels"]) + found.get("Omitted", 0) == len(entries)
    assert found.get("Omitted") != 0
    assert len(json.dumps(found["Labels"])) <= 70_000


def test_the_least_sure_labels_are_the_ones_left_out() -> None:
    found = labels_found({"Labels": [label(f"L{n}", n / 10, instances=100) for n in range(1000)]})
    kept = [entry["Confidence"] for entry in found["Labels"]]
    assert kept == [round(99.9 - n / 10, 1) for n in range(len(kept))]
    assert len(kept) >= 5
    assert found["Omitted"] == 1000 - len(kept)


@pytest.fixture(scope="module")
def worst_case() -> dict[str, Any]:
    """1,000 labels with 100 instances each, 1,000 moderation labels three levels deep, 200 long words."""
    names = [{"Name": f"{n} " + "ñ" * 48} for n in range(10)]
    crowd = label("ñ" * 50, 99.99, instances=100, Parents=names, Aliases=names, Categories=names)
    long = [f"{n} " + "Exposed " * 6 for n in range(1000)]
    chain = [{"Name": long[n], "ParentName": long[n - 1] if n % 3 else "", "Confidence": 99.99} for n in range(1000)]
    words = [{"DetectedText": "字" * 500, "Type": "WORD", "Confidence": 99.99, "Geometry": {"BoundingBox": BOX}}] * 200
    return {
        "Labels": labels_found({"Labels": [crowd] * 1000, "LabelModelVersion": "3.0"}),
        "Moderation": moderation_found({"ModerationLabels": chain, "ModerationModelVersion": "7.0"}),
        "Text": text_found({"TextDetections": words, "TextModelVersion": "3.0"}),
    }


def test_the_largest_findings_together_fit_into_a_state(worst_case: dict[str, Any]) -> None:
    assert all(worst_case[branch]["Omitted"] > 0 for branch in worst_case)
    assert len(json.dumps(worst_case).encode()) < STATE_BYTES - 20_000  # the image and what validation learned travel along


def test_the_largest_findings_leave_room_for_the_largest_verdict(worst_case: dict[str, Any]) -> None:
    stored = {name: worst_case[name].get("Labels") or worst_case[name]["Text"] for name in worst_case}
    assert len(json.dumps(stored)) + MAX_VERDICT_BYTES < STATE_BYTES - 10_000


def test_findings_survive_json(worst_case: dict[str, Any]) -> None:
    findings = {"Labels": LABELS, "Moderation": MODERATION, "Text": TEXT, "Worst": worst_case}
    assert json.loads(json.dumps(findings, allow_nan=False)) == findings


def test_combined_findings_are_the_records_attributes() -> None:
    record = combine({"Labels": LABELS, "Moderation": MODERATION})
    assert record == {
        "Labels": LABELS["Labels"],
        "Moderation": MODERATION,
        "ModelVersions": {"Labels": "3.0", "Moderation": "7.0"},
    }


def test_text_is_part_of_the_record_when_it_was_asked_for() -> None:
    record = combine({"Labels": LABELS, "Moderation": MODERATION, "Text": TEXT})
    assert record["Text"] == TEXT["Text"]
    assert record["ModelVersions"] == {"Labels": "3.0", "Moderation": "7.0", "Text": "3.0"}


def test_what_was_left_out_is_said_in_the_record(worst_case: dict[str, Any]) -> None:
    record = combine(worst_case)
    assert record["LabelsOmitted"] == worst_case["Labels"]["Omitted"]
    assert record["Moderation"]["Omitted"] == worst_case["Moderation"]["Omitted"]
    assert record["TextOmitted"] == worst_case["Text"]["Omitted"]


def test_without_labels_there_is_nothing_to_store() -> None:
    with pytest.raises(
        AnalysisIncomplete, match=r"^Labels could not be detected: An AWS service kept throttling requests.+Rate exceeded\.$"
    ):
        combine({"Labels": unavailable(), "Moderation": MODERATION})


def test_without_moderation_the_labels_are_kept_and_the_image_is_not_checked() -> None:
    record = combine({"Labels": LABELS, "Moderation": unavailable("AccessDeniedException", "not allowed")})
    assert record["Labels"] == LABELS["Labels"]
    assert record["Moderation"] == not_moderated("Moderation could not be checked: not allowed.")
    assert record["Moderation"]["Status"] == "NOT_CHECKED"
    assert record["ModelVersions"]["Moderation"] == "none"


def test_without_text_the_rest_is_kept_and_the_record_says_so() -> None:
    record = combine({"Labels": LABELS, "Moderation": MODERATION, "Text": unavailable("States.Timeout", "")})
    assert record["TextUnavailable"] == "Text could not be read: A step timed out."
    assert "Text" not in record
    assert "Text" not in record["ModelVersions"]


def test_without_labels_and_moderation_the_labels_are_the_reason() -> None:
    with pytest.raises(AnalysisIncomplete, match="Labels could not be detected"):
        combine({"Labels": unavailable(), "Moderation": unavailable()})


@pytest.mark.parametrize("branch", ["Labels", "Moderation", "Text"])
def test_an_image_that_rekognition_refuses_is_rejected_whichever_branch_says_so(branch: str) -> None:
    findings = {"Labels": LABELS, "Moderation": MODERATION, "Text": TEXT}
    findings[branch] = unavailable("ImageRejected", "Rekognition could not read the image: bad")
    with pytest.raises(ImageRejected, match=r"^Rekognition could not read the image: bad\.$"):
        combine(findings)


def test_a_refused_image_is_rejected_even_when_another_branch_is_unavailable() -> None:
    with pytest.raises(ImageRejected):
        combine({"Labels": unavailable(), "Moderation": unavailable("ImageRejected", "bad")})


@pytest.mark.parametrize(
    ("version", "scope"),
    [
        ("local-open-nsfw-1.0 (explicit content only)", "explicit content only"),
        ("other ( violence )", "violence"),
        ("7.0", None),
        ("odd (unclosed", None),
        ("odd ()", None),
    ],
)
def test_a_model_that_checks_only_a_part_gives_the_finding_a_scope(version: str, scope: str | None) -> None:
    found = moderation_found({"ModerationLabels": [], "ModerationModelVersion": version})
    assert (found["Status"], found.get("Scope"), found["ModelVersion"]) == ("CHECKED", scope, version)
