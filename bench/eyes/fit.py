"""Fits the confidences: a logistic regression on the boxes of the photos that are for fitting."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.eyes.photos import Photo
from bench.eyes.scores import right_labels
from local.emulator.rekognition import verification
from local.emulator.rekognition.classifier import Classifier
from local.emulator.rekognition.models.catalogue import EFFICIENTNET, NANODET
from local.emulator.rekognition.models.folder import ModelsFolder, default_folder
from local.emulator.rekognition.object_detector import ObjectDetector

if TYPE_CHECKING:
    from PIL.Image import Image

ROUNDS = 100  # of Newton's method; it is done after about ten
SHRINK = 0.05  # keeps coefficients finite where one feature separates right from wrong


@dataclass(frozen=True)
class Box:
    """One of NanoDet's boxes: its score, the classifier's evidence, and whether the label is right."""

    score: float
    evidence: float | None
    is_right: bool


def boxes(photos: Iterable[tuple[Photo, Image]]) -> list[Box]:
    """Returns every box that the verification sees, for the photos that are for fitting."""
    folder = ModelsFolder(default_folder())
    detector, classifier = ObjectDetector(folder.verified(NANODET)), Classifier(folder.verified(EFFICIENTNET))
    found: list[Box] = []
    for photo, image in photos:
        if not photo.is_for_fitting:
            continue
        right = right_labels(photo)
        whole = classifier.probabilities(image)
        for each in verification.observe(image, detector.candidates(image), classifier, whole):
            if not verification.is_animal_called_person(each):
                found.append(Box(each.candidate.score, each.evidence, each.candidate.label in right))
    return found


def fit(found: list[Box]) -> dict[str, list[float]]:
    """Returns the coefficients as calibration.json holds them."""
    with_evidence = [
        (each, [1.0, each.score, verification.log_odds(each.evidence)]) for each in found if each.evidence is not None
    ]
    alone = [(each, [1.0, each.score]) for each in found if each.evidence is None]
    return {"with_evidence": _logistic(with_evidence), "score_alone": _logistic(alone)}


def write(coefficients: dict[str, list[float]]) -> None:
    """Writes calibration.json, which the engine reads."""
    verification.COEFFICIENTS.write_text(json.dumps(coefficients) + "\n")


def _logistic(rows: list[tuple[Box, list[float]]]) -> list[float]:
    import numpy as np

    features: Any = np.array([values for _, values in rows])
    right: Any = np.array([float(each.is_right) for each, _ in rows])
    weights: Any = np.zeros(features.shape[1])
    for _ in range(ROUNDS):
        likely = 1 / (1 + np.exp(-features @ weights))
        slope = features.T @ (likely - right) + SHRINK * weights
        curve = (features * (likely * (1 - likely))[:, None]).T @ features + SHRINK * np.eye(len(weights))
        weights = weights - np.linalg.solve(curve, slope)
    return [round(float(weight), 3) for weight in weights]
