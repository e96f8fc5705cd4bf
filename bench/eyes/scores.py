"""Counts right and wrong labels. Only the most specific labels count: Dog, and not its parents Pet, Mammal and Animal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.eyes.photos import Photo
from local.emulator.rekognition import taxonomy

COUNTED_ELSEWHERE = {"Head"}  # each face is a head too


@dataclass(frozen=True)
class Score:
    """What came out at one confidence: labels reported and right, labels needed and found, and photos without a label."""

    floor: float
    reported: int
    right: int
    needed: int
    found: int
    photos: int
    without_label: int
    mistakes: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / self.reported if self.reported else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.needed if self.needed else 1.0


def right_labels(photo: Photo) -> set[str]:
    """Returns the labels that are right for a photo, with all their ancestors."""
    return {label for name in (*photo.needed, *photo.accepted) for label in (name, *taxonomy.term(name).parents)}


def score(answers: Sequence[tuple[Photo, list[dict[str, Any]]]], floor: float) -> Score:
    """Counts the labels with at least `floor` confidence (0-100)."""
    reported = right = needed = found = without = 0
    mistakes: list[str] = []
    for photo, labels in answers:
        by_name = {each["Name"]: each["Confidence"] for each in labels if each["Confidence"] >= floor}
        parents = {parent for name in by_name for parent in taxonomy.term(name).parents}
        specific = by_name.keys() - parents - COUNTED_ELSEWHERE
        wrong = specific - right_labels(photo)
        missed = [name for name in photo.needed if name not in by_name]
        reported, right = reported + len(specific), right + len(specific) - len(wrong)
        needed, found = needed + len(photo.needed), found + len(photo.needed) - len(missed)
        without += not by_name
        if wrong or missed:
            said = [f"wrong: {name} {by_name[name]:.0f}" for name in sorted(wrong)] + [f"missed: {name}" for name in missed]
            mistakes.append(f"{photo.name}: {', '.join(said)}")
    return Score(floor, reported, right, needed, found, len(answers), without, mistakes)
