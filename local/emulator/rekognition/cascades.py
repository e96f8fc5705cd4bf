"""OpenCV's boosted cascades. They report the evidence for each box, and not only that there is one.

A cascade returns every window that passed all its stages, with the weight of the last stage. Windows in the same place
are grouped; the group's evidence is the sum of each window's margin over the last threshold, and the
confidence is 100 * (1 - exp(-evidence / 8)). On augmented photos real faces had evidence of 8 to 140, chance finds below 8.
"""

from __future__ import annotations

import math
import re
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from local.emulator.rekognition.detections import Box
from local.emulator.rekognition.errors import EngineSetup

EVIDENCE_SCALE = 8.0
GROUPING = 0.2  # how far apart (relative to their size) windows of one group may lie
INSTALL_COMMAND = "pip install 'opencv-python-headless>=4.10,<5'"
DISTRIBUTIONS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


class Window(NamedTuple):
    """A group of windows: where (pixels: x, y, width, height), the best margin over the last threshold, and the sum of all."""

    x: float
    y: float
    width: float
    height: float
    margin: float
    evidence: float

    def box(self, image_width: float, image_height: float) -> Box:
        """The same place as ratios of an image of that size."""
        return Box(self.x / image_width, self.y / image_height, self.width / image_width, self.height / image_height)


def check_opencv_version() -> None:
    """Refuses OpenCV 5, which has no cascades, without importing it. Raises EngineSetup with what to do."""
    for name in DISTRIBUTIONS:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if not version.startswith("4."):
            raise EngineSetup(
                f"{name} {version} is installed, but the local engine needs OpenCV 4: version 5 ships no Haar "
                f"cascades. Install the right version: {INSTALL_COMMAND}"
            )


def load_opencv() -> ModuleType:
    """Imports cv2 with one thread, because several analyses run in parallel. Raises EngineSetup with what to do."""
    try:
        import cv2
    except ImportError as error:
        raise EngineSetup(f"The local engine needs OpenCV 4 ({error}). Install it with: {INSTALL_COMMAND}") from error
    if not cv2.__version__.startswith("4.") or not hasattr(cv2, "CascadeClassifier"):
        raise EngineSetup(
            f"OpenCV {cv2.__version__} is imported, but the local engine needs OpenCV 4 with its Haar cascades. "
            f"Install the right version: {INSTALL_COMMAND}"
        )
    cv2.setNumThreads(1)
    return cv2


def confidence(evidence: float) -> float:
    """Returns the confidence (0-100) for the evidence of a group of windows."""
    return 100 * (1 - math.exp(-max(0.0, evidence) / EVIDENCE_SCALE))


class Cascade:
    """One cascade. Not thread-safe, like OpenCV's classifier: each analysis uses its own."""

    def __init__(self, name: str) -> None:
        self._cv2 = load_opencv()
        path = Path(self._cv2.data.haarcascades) / f"haarcascade_{name}.xml"
        self._classifier = self._cv2.CascadeClassifier(str(path))
        thresholds = re.findall(r"<stageThreshold>([^<]+)<", path.read_text())
        self._stages, self._threshold = len(thresholds), float(thresholds[-1])

    def windows(self, gray: Any, *, scale: float, smallest: int, agreeing: int) -> list[Window]:
        """Returns groups of at least `agreeing` windows in an 8-bit gray image; `smallest` is the least side in pixels."""
        boxes, levels, weights = self._classifier.detectMultiScale3(
            gray, scaleFactor=scale, minNeighbors=0, minSize=(smallest, smallest), outputRejectLevels=True
        )
        # The result also contains windows that failed one of the last stages. They are no evidence.
        passed = [
            (tuple(int(side) for side in box), float(weight) - self._threshold)
            for box, level, weight in zip(boxes, levels, weights, strict=True)
            if int(level) == self._stages
        ]
        if not passed:
            return []
        groups, _ = self._cv2.groupRectangles([box for box, _ in passed], agreeing, GROUPING)
        return [self._group(tuple(int(side) for side in group), passed) for group in groups]

    @staticmethod
    def _group(group: tuple[int, ...], passed: list[tuple[tuple[int, ...], float]]) -> Window:
        place = Box(*group)
        margins = [margin for box, margin in passed if Box(*box).overlap(place) > 0.4]
        x, y, width, height = group
        return Window(x, y, width, height, max(margins, default=0.0), sum(margins))
