"""What a detector found: a name, a confidence, and a place. Every detector returns these; labels are built from them."""

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

    def share_inside(self, other: Box) -> float:
        """Returns the share of this box that is inside the other one, 0-1."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        area = self.width * self.height
        return across * down / area if across > 0 and down > 0 and area > 0 else 0.0

    def within_picture(self) -> Box:
        """The part of the box inside the picture."""
        left, top = min(1.0, max(0.0, self.left)), min(1.0, max(0.0, self.top))
        right, bottom = min(1.0, self.left + self.width), min(1.0, self.top + self.height)
        return Box(left, top, max(0.0, right - left), max(0.0, bottom - top))

    def wire(self) -> dict[str, float]:
        """The box as Rekognition writes it."""
        return {"Width": self.width, "Height": self.height, "Left": self.left, "Top": self.top}


class Detection(NamedTuple):
    """One thing that was found; `confidence` is 0-100, `box` is None for what a classifier says of the whole picture."""

    name: str
    confidence: float
    box: Box | None


def strongest(detections: list[Detection], overlap: float) -> list[Detection]:
    """Drops each detection that overlaps a more confident one of the same name; returns the most confident first."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda each: -each.confidence):
        rivals = (each.box for each in kept if each.name == detection.name)
        if not any(box and detection.box and box.overlap(detection.box) > overlap for box in rivals):
            kept.append(detection)
    return kept
