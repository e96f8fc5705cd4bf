"""Joining detectors: each thing once, an animal's face is no person, and what is less likely than not isn't counted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from local.emulator.rekognition import classifier, verification
from local.emulator.rekognition.detections import Box, Detection
from local.emulator.rekognition.labels import labels_from
from local.emulator.rekognition.letterbox import letterboxed, stretched
from local.emulator.rekognition.merging import merge, people_faces
from local.emulator.rekognition.object_detector import Candidate
from local.emulator.rekognition.verification import Calibration, Observation

FACE = Detection("Face", 96.0, Box(0.4, 0.2, 0.1, 0.1))
PERSON = Detection("Person", 71.0, Box(0.3, 0.1, 0.3, 0.8))
DOG = Detection("Dog", 80.0, Box(0.3, 0.1, 0.3, 0.6))


def found(detections: list[Detection], name: str) -> list[Detection]:
    return [each for each in detections if each.name == name]


def test_a_face_in_a_persons_box_is_that_person_and_makes_it_as_certain() -> None:
    merged = merge([FACE], [PERSON], objects=True)
    assert found(merged, "Person") == [PERSON._replace(confidence=96.0)]
    assert (found(merged, "Face"), found(merged, "Head")) == ([FACE], [FACE._replace(name="Head")])


def test_a_face_outside_every_person_is_another_person() -> None:
    merged = merge([FACE], [PERSON._replace(box=Box(0.7, 0.1, 0.2, 0.8))], objects=True)
    assert sorted(each.confidence for each in found(merged, "Person")) == [71.0, 96.0]


def test_a_face_belongs_to_the_smallest_box_that_holds_it() -> None:
    child = Detection("Person", 60.0, Box(0.35, 0.15, 0.2, 0.4))
    merged = merge([FACE], [PERSON, child], objects=True)
    assert {each.confidence for each in found(merged, "Person")} == {71.0, 96.0}


@pytest.mark.parametrize("animal", [DOG, Detection("Persian Cat", 74.0, None), Detection("Animal", 50.0, None)])
def test_a_face_on_an_animal_is_dropped(animal: Detection) -> None:
    merged = merge([FACE], [animal], objects=True)
    assert merged == [animal]


@pytest.mark.parametrize(
    "others",
    [[DOG, PERSON], [DOG._replace(confidence=49.9)], [DOG._replace(box=Box(0.6, 0.5, 0.3, 0.3))], [Detection("Cup", 90.0, None)]],
)
def test_a_person_with_an_animal_keeps_the_face(others: list[Detection]) -> None:
    assert people_faces([FACE], others, objects=True) == [FACE]


def test_an_uncertain_face_needs_a_person_where_the_object_detector_looked() -> None:
    faint = FACE._replace(confidence=76.0)
    assert people_faces([faint], [], objects=True) == []
    assert people_faces([faint], [PERSON], objects=True) == [faint]
    assert people_faces([faint], [], objects=False) == [faint]


def test_what_no_detector_disputes_passes() -> None:
    code = Detection("QR Code", 99.0, Box(0.1, 0.1, 0.2, 0.2))
    assert merge([code], [DOG], objects=True) == [code, DOG]


def test_two_detectors_that_find_one_thing_report_it_once() -> None:
    again = DOG._replace(confidence=70.0, box=Box(0.31, 0.1, 0.3, 0.6))
    assert found(merge([], [DOG, again], objects=True), "Dog") == [DOG]


@pytest.mark.parametrize(("confidence", "instances"), [(49.9, 0), (50.0, 1), (90.0, 1)])
def test_a_box_that_is_less_likely_than_not_is_no_instance(confidence: float, instances: int) -> None:
    (label,) = (each for each in labels_from([PERSON._replace(confidence=confidence)]) if each["Name"] == "Person")
    assert (len(label["Instances"]), label["Confidence"]) == (instances, confidence)


def observation(score: float, evidence: float | None, label: str = "Dog", animal: float = 0.0) -> Observation:
    return Observation(Candidate(label, score, Box(0.1, 0.1, 0.5, 0.5)), evidence, animal)


FITTED = Calibration((0.5, 2.8, 0.8), (-3.4, 8.0))


def test_the_confidence_rises_with_the_score_and_with_the_evidence() -> None:
    by_evidence = [verification.confidence(observation(0.5, each), FITTED) for each in (0.0, 0.01, 0.5, 0.9, 1.0)]
    by_score = [verification.confidence(observation(each, 0.5), FITTED) for each in (0.3, 0.5, 0.9)]
    alone = [verification.confidence(observation(each, None), FITTED) for each in (0.3, 0.5, 0.9)]
    assert all(values == sorted(values) and 0 < values[0] < values[-1] <= 99 for values in (by_evidence, by_score, alone))


def test_the_fitted_coefficients_let_both_opinions_count() -> None:
    fitted = verification.calibration()
    assert fitted.with_evidence[1] > 0 < fitted.with_evidence[2]
    assert fitted.score_alone[1] > 0


def test_an_animal_is_not_called_a_person_unless_the_score_is_high() -> None:
    assert verification.is_animal_called_person(observation(0.6, None, "Person", animal=0.8))
    assert not verification.is_animal_called_person(observation(0.8, None, "Person", animal=0.8))
    assert not verification.is_animal_called_person(observation(0.6, None, "Person", animal=0.3))
    assert verification.detections_of([observation(0.6, None, "Person", animal=0.8)]) == []


def test_of_two_kinds_of_animal_in_one_place_the_more_likely_one_stays() -> None:
    kept = verification.detections_of([observation(0.6, 0.9, "Horse"), observation(0.6, 0.1, "Cow")])
    assert [each.name for each in kept] == ["Horse"]


def test_a_person_keeps_the_tie_that_fills_the_same_place() -> None:
    kept = verification.detections_of([observation(0.9, None, "Person"), observation(0.7, 0.9, "Tie")])
    assert {each.name for each in kept} == {"Person", "Tie"}


@pytest.mark.parametrize(("label", "known"), [("Dog", True), ("Cup", True), ("Cow", True), ("Giraffe", False), ("Person", False)])
def test_the_classifier_gives_evidence_only_for_labels_that_it_knows(label: str, known: bool) -> None:
    even = np.full(1000, 0.001)
    assert (verification.evidence_for(label, even) is not None) == known


def test_a_parent_has_the_sum_of_its_classes() -> None:
    probabilities = np.zeros(1000)
    for index, share in ((281, 0.3), (282, 0.1), (283, 0.2), (285, 0.27)):  # two tabbies, a Persian and an Egyptian cat
        probabilities[index] = share
    labels = {each.name: round(each.confidence) for each in classifier.labels_of(probabilities)}
    assert labels == {"Cat": 87, "Mammal": 87, "Pet": 87, "Animal": 87}


def test_a_classifier_is_never_certain() -> None:
    probabilities = np.zeros(1000)
    probabilities[1] = 1.0
    assert {each.confidence for each in classifier.labels_of(probabilities)} == {99.0}


@pytest.mark.parametrize("fit", [letterboxed, stretched])
@pytest.mark.parametrize("size", [(640, 480), (200, 900), (416, 416)])
def test_a_box_in_the_input_comes_back_to_its_place_in_the_picture(fit: object, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "black")
    image.paste("white", (size[0] // 4, size[1] // 2, size[0] * 3 // 4, size[1]))
    pixels, frame = fit(image, 416, 416)  # type: ignore[operator]
    rows, columns = np.nonzero(pixels[:, :, 0] > 200)
    box = frame.box((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    assert np.allclose(box, (0.25, 0.5, 0.5, 0.5), atol=0.02)
