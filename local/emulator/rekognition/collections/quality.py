"""The quality bars of IndexFaces, SearchFacesByImage and SearchUsersByImage.

Rekognition does not publish its bars. These are ours; MEDIUM follows its advice of faces of at least 40 pixels
(docs.aws.amazon.com/rekognition/latest/dg/recommendations-facial-input-images.html).
"""

from __future__ import annotations

from typing import NamedTuple

from local.emulator.rekognition.found_faces import FoundFace


class Bar(NamedTuple):
    """What a face needs: confidence, brightness and sharpness (0-100), and the shorter side in pixels of the image."""

    confidence: float
    brightness: float
    sharpness: float
    side: float


BARS = {
    "NONE": Bar(0, 0, 0, 0),
    "LOW": Bar(60, 10, 20, 30),
    "MEDIUM": Bar(75, 15, 40, 40),
    "HIGH": Bar(90, 25, 60, 60),
}
BARS["AUTO"] = BARS["MEDIUM"]


def reasons(face: FoundFace, quality_filter: str) -> list[str]:
    """Returns why a face is below the bar of a QualityFilter, in Rekognition's words. Empty if it is not."""
    bar = BARS[quality_filter]
    below = {
        "LOW_CONFIDENCE": face.detection.confidence < bar.confidence,
        "LOW_BRIGHTNESS": face.quality["Brightness"] < bar.brightness,
        "LOW_SHARPNESS": face.quality["Sharpness"] < bar.sharpness,
        "SMALL_BOUNDING_BOX": face.side < bar.side,
    }
    return [reason for reason, is_below in below.items() if is_below]
