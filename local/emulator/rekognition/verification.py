"""Turns NanoDet's scores into confidences, with the classifier as a second opinion on each box.

NanoDet knows 80 kinds of things and calls everything one of them: a gorilla is a bear to it. So the classifier looks at each
box too. Where it knows the label (it has 118 kinds of dog), a logistic function of the score and of the probability gives
the confidence; where it doesn't (it has no giraffe), a function of the score alone does. The coefficients come from one half
of the labelled photos in bench/eyes/photos.json; `python -m bench.eyes` reports on the other half.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import taxonomy
from local.emulator.rekognition.classifier import Classifier, classes_of, mass
from local.emulator.rekognition.detections import Box, Detection
from local.emulator.rekognition.object_detector import Candidate

if TYPE_CHECKING:
    from PIL.Image import Image

COEFFICIENTS = Path(__file__).with_name("calibration.json")
MOST_CONFIDENT = 99.0
CONFIDENCE_FLOOR = 30.0  # 0-100; below it a detection is noise, whatever MinConfidence asks for
MOST_LOOKS = 8  # parts of a picture that the classifier looks at
MARGIN = 0.1  # of the box, shown around it
SMALLEST_PART = 8  # pixels
WHOLE_PICTURE_WEIGHT = 0.7  # the whole picture supports a box less than the box's own part does
ANIMAL_NOT_PERSON = 0.6  # probability of an animal in a part at which it isn't a person ...
UNDISPUTED_PERSON = 0.75  # ... unless NanoDet's score is at least this
EVIDENCE_LIMITS = (0.001, 0.999)
# The classifier knows a baseball player, a bridegroom and a scuba diver, and no other people.
NOT_KNOWN_TO_CLASSIFIER = {"Person"}
# Classes that look like a label without belonging to it. They count as evidence for a box that NanoDet gave the label.
LOOKALIKES = {
    "Bus": ("Tram",),
    "Computer Keyboard": ("Typewriter Keyboard", "Space Bar"),
    "Cow": ("Ox",),
    "Cup": ("Espresso",),
    "Laptop": ("Computer Keyboard",),
    "Motorcycle": ("Moped", "Motor Scooter"),
    "Potted Plant": ("Plant Pot",),
    "Spoon": ("Wooden Spoon", "Ladle"),
    "Stopsign": ("Street Sign",),
    "Toilet": ("Toilet Seat",),
    "TV": ("Monitor", "CRT Monitor"),
    "Wine Glass": ("Goblet", "Red Wine"),
}


@dataclass(frozen=True)
class Calibration:
    """Coefficients: with the classifier's evidence (intercept, score, evidence), and of the score alone."""

    with_evidence: tuple[float, float, float]
    score_alone: tuple[float, float]


@dataclass(frozen=True)
class Observation:
    """What is known of a candidate: `evidence` (0-1) is the classifier's, None where it doesn't know the label."""

    candidate: Candidate
    evidence: float | None
    animal: float


@cache
def calibration() -> Calibration:
    """Returns the fitted coefficients."""
    values = json.loads(COEFFICIENTS.read_text())
    return Calibration(tuple(values["with_evidence"]), tuple(values["score_alone"]))


def observe(image: Image, candidates: list[Candidate], classifier: Classifier | None, whole: Any) -> list[Observation]:
    """Shows the best candidates' parts of the picture to the classifier; `whole` are its probabilities for all of it."""
    observations: list[Observation] = []
    looks = 0
    for candidate in candidates:
        part = _part(image, candidate.box)
        if classifier is None or looks == MOST_LOOKS or _needs_no_look(candidate) or min(part.size) < SMALLEST_PART:
            observations.append(Observation(candidate, None, 0.0))
            continue
        looks += 1
        probabilities = classifier.probabilities(part)
        own, around = evidence_for(candidate.label, probabilities), evidence_for(candidate.label, whole)
        evidence = None if own is None or around is None else max(own, WHOLE_PICTURE_WEIGHT * around)
        observations.append(Observation(candidate, evidence, mass(probabilities, "Animal")))
    return observations


def _needs_no_look(candidate: Candidate) -> bool:
    """Returns whether the classifier can't change anything: it doesn't know people, and only doubts uncertain ones."""
    return candidate.label == "Person" and candidate.score >= UNDISPUTED_PERSON


def evidence_for(label: str, probabilities: Any) -> float | None:
    """Returns the classifier's probability (0-1) for a label, or None where it doesn't know the label."""
    if label in NOT_KNOWN_TO_CLASSIFIER:
        return None
    names = [name for name in (label, *LOOKALIKES.get(label, ())) if classes_of(name)]
    return min(1.0, sum(mass(probabilities, name) for name in names)) if names else None


def confidence(observation: Observation, fitted: Calibration) -> float:
    """Returns the calibrated confidence, 0-100."""
    score = observation.candidate.score
    if observation.evidence is None:
        intercept, slope = fitted.score_alone
        return _percent(intercept + slope * score)
    intercept, slope, weight = fitted.with_evidence
    return _percent(intercept + slope * score + weight * log_odds(observation.evidence))


def log_odds(probability: float) -> float:
    """Returns the logarithm of the odds, cut at both ends so that one look never decides alone."""
    low, high = EVIDENCE_LIMITS
    bounded = min(high, max(low, probability))
    return math.log(bounded / (1 - bounded))


def is_animal_called_person(observation: Observation) -> bool:
    """Returns whether NanoDet calls a person what the classifier sees as an animal."""
    candidate = observation.candidate
    return candidate.label == "Person" and candidate.score < UNDISPUTED_PERSON and observation.animal >= ANIMAL_NOT_PERSON


def detections_of(observations: list[Observation]) -> list[Detection]:
    """Returns calibrated detections, the most confident first; of two kinds of thing in one place the better one stays."""
    found = [
        Detection(each.candidate.label, confidence(each, calibration()), each.candidate.box)
        for each in observations
        if not is_animal_called_person(each)
    ]
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda each: -each.confidence):
        if detection.confidence >= CONFIDENCE_FLOOR and not any(_same_thing(detection, other) for other in kept):
            kept.append(detection)
    return kept


def _same_thing(one: Detection, other: Detection) -> bool:
    """Returns whether two labels have the same place and can't both be right: a horse isn't a cow, but a person wears a tie."""
    if one.box is None or other.box is None or one.box.overlap(other.box) < 0.6:
        return False
    return (
        (one.name == "Person") == (other.name == "Person")
        or taxonomy.is_a(one.name, "Animal")
        or taxonomy.is_a(other.name, "Animal")
    )


def _percent(log_odds_of_right: float) -> float:
    return min(MOST_CONFIDENT, 100 / (1 + math.exp(-log_odds_of_right)))


def _part(image: Image, box: Box) -> Image:
    left, right = box.left - MARGIN * box.width, box.left + (1 + MARGIN) * box.width
    top, bottom = box.top - MARGIN * box.height, box.top + (1 + MARGIN) * box.height
    return image.crop(
        (
            max(0, int(left * image.width)),
            max(0, int(top * image.height)),
            min(image.width, max(1, round(right * image.width))),
            min(image.height, max(1, round(bottom * image.height))),
        )
    )
