"""Compares the pixels of faces, for machines without dlib: it finds the same photo of a face again, and no other photo.

Enough to develop against collections. The version in each answer says that it does not recognise people.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition.detections import Detection
from local.emulator.rekognition.found_faces import cut

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = "local-pixels-1 (same photo only)"
SIDE = 12  # pixels of the gray copy that is compared
HALF_SIMILAR = 0.87  # the correlation at which the similarity is 50
STEEPNESS = 30.0  # a correlation of 0.92 has a similarity of 80, the default threshold


class PictureVectors:
    """An encoder whose vectors are the gray values of a face, without their mean and with the length 1."""

    @property
    def version(self) -> str:
        """The FaceModelVersion of its answers."""
        return VERSION

    def vector(self, image: Image, face: Detection) -> Any:
        """Returns the vector of one face in an upright RGB image. Raises ValueError for a face without a box."""
        import numpy as np
        from PIL.Image import Resampling

        if face.box is None:
            raise ValueError("a face without a box has no vector")
        gray = cut(image, face.box).convert("L").resize((SIDE, SIDE), Resampling.BOX)
        values = np.asarray(gray, dtype="float64").ravel()
        values -= values.mean()
        return values / (np.linalg.norm(values) or 1.0)

    def similarity(self, one: Any, other: Any) -> float:
        """Returns the similarity (0-100) of two vectors, or of means of vectors, from their correlation."""
        import numpy as np

        length = float(np.linalg.norm(one) * np.linalg.norm(other)) or 1.0
        return 100 / (1 + math.exp(-STEEPNESS * (float(one @ other) / length - HALF_SIMILAR)))
