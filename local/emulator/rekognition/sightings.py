"""What a detector saw: a name, how sure it is, and where. The currency between detectors and Rekognition's labels."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A box as ratios (0-1) of the upright image."""

    left: float
    top: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0-1."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        if across <= 0 or down <= 0:
            return 0.0
        shared = across * down
        return shared / (self.width * self.height + other.width * other.height - shared)

    def within_picture(self) -> Box:
        """The part of the box that lies in the picture."""
        left, top = min(1.0, max(0.0, self.left)), min(1.0, max(0.0, self.top))
        right, bottom = min(1.0, self.left + self.width), min(1.0, self.top + self.height)
        return Box(left, top, max(0.0, right - left), max(0.0, bottom - top))

    def wire(self) -> dict[str, float]:
        """The box as Rekognition writes it."""
        return {"Width": self.width, "Height": self.height, "Left": self.left, "Top": self.top}


class Sighting(NamedTuple):
    """One thing seen; `confidence` is 0-100, `box` is None for what fills the whole picture (a classifier's answer)."""

    name: str
    confidence: float
    box: Box | None


def strongest(sightings: list[Sighting], overlap: float) -> list[Sighting]:
    """Drop each sighting that overlaps a surer one of the same name (non-maximum suppression); surest first."""
    kept: list[Sighting] = []
    for sighting in sorted(sightings, key=lambda each: -each.confidence):
        rivals = (each.box for each in kept if each.name == sighting.name)
        if not any(box and sighting.box and box.overlap(sighting.box) > overlap for box in rivals):
            kept.append(sighting)
    return kept
