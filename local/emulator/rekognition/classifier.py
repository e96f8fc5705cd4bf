"""EfficientNet-Lite2: says which of ImageNet's 1,000 kinds of things a picture, or a part of it, shows.

The classes are mapped by their index, not by their names: "kite" is a bird there, and "crane" occurs twice.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import taxonomy
from local.emulator.rekognition.detections import Detection
from local.emulator.rekognition.onnx_session import load_session

if TYPE_CHECKING:
    from PIL.Image import Image

LABELS_FILE = Path(__file__).with_name("imagenet_labels.txt")
SIDE = 260
PROBABILITY_FLOOR = 0.5
MOST_CONFIDENT = 99.0  # a classifier is never certain


class Classifier:
    """One loaded EfficientNet-Lite2. Thread-safe, as onnxruntime's sessions are."""

    def __init__(self, path: Path) -> None:
        self._session = load_session(path)

    def probabilities(self, image: Image) -> Any:
        """Returns 1,000 probabilities (0-1) by class index for an RGB image of any size."""
        import numpy as np
        from PIL import Image as Pillow

        pixels = np.asarray(image.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC), dtype="float32")
        batch = ((pixels - 127) / 128).transpose(2, 0, 1)[None]
        return self._session.run(None, {"image": np.ascontiguousarray(batch)})[0][0]


@cache
def class_labels() -> tuple[str, ...]:
    """Returns the label of each class, by its index. Several classes can have the same label."""
    return tuple(LABELS_FILE.read_text().splitlines())


@cache
def _classes_by_label() -> dict[str, tuple[int, ...]]:
    """The indices of the classes of each label, ancestors included."""
    found: dict[str, list[int]] = {}
    for index, label in enumerate(class_labels()):
        for name in (label, *taxonomy.term(label).parents):
            found.setdefault(name, []).append(index)
    return {name: tuple(indices) for name, indices in found.items()}


def classes_of(label: str) -> tuple[int, ...]:
    """Returns the indices of all classes that are the label or belong to it: every breed for Dog. Empty if none does."""
    return _classes_by_label().get(label, ())


def mass(probabilities: Any, label: str) -> float:
    """Returns the probability (0-1) that the picture shows the label, as the sum of its classes."""
    return float(probabilities[list(classes_of(label))].sum())


def labels_of(probabilities: Any) -> list[Detection]:
    """Returns the labels that are more likely than not, without boxes.

    A parent has the sum of its classes: five kinds of cat with 87 % in all are a Cat, though the best has only 60 %.
    """
    found = ((name, mass(probabilities, name)) for name in _classes_by_label())
    return [Detection(name, min(100 * share, MOST_CONFIDENT), None) for name, share in found if share >= PROBABILITY_FLOOR]
