"""A face that was found in an image, with its measures, and the two ways to turn it into a vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from local.emulator.rekognition import colours
from local.emulator.rekognition.detections import Box, Detection

if TYPE_CHECKING:
    from PIL.Image import Image

Vector = Any  # a NumPy array


class Encoder(Protocol):
    """Turns faces into vectors. `version` is a FaceModelVersion; a similarity is 0-100."""

    @property
    def version(self) -> str: ...

    def vector(self, image: Image, face: Detection) -> Vector: ...

    def similarity(self, one: Vector, other: Vector) -> float: ...


@dataclass(frozen=True)
class FoundFace:
    """A face in an upright RGB image. `scale` is the size of the original relative to this image."""

    image: Image
    detection: Detection
    scale: float

    @property
    def box(self) -> Box:
        """The place of the face. Raises ValueError for a detection of the whole image, which is no face."""
        if self.detection.box is None:
            raise ValueError("a face without a box")
        return self.detection.box

    @property
    def side(self) -> float:
        """The shorter side of the face, in pixels of the original."""
        return min(self.box.width * self.image.width, self.box.height * self.image.height) * self.scale

    @cached_property
    def quality(self) -> dict[str, float]:
        """Brightness and Sharpness, 0-100."""
        return colours.quality(cut(self.image, self.box))

    def summary(self) -> dict[str, Any]:
        """Returns the box and the confidence on the wire's form."""
        return {"BoundingBox": self.box.wire(), "Confidence": round(self.detection.confidence, 4)}

    def detail(self) -> dict[str, Any]:
        """Returns Rekognition's FaceDetail: what can be said honestly of a face."""
        return {**self.summary(), "Quality": self.quality}


def compare(source: FoundFace, targets: list[FoundFace], encoder: Encoder, threshold: float) -> dict[str, Any]:
    """Returns CompareFaces' answer; `threshold` is the lowest similarity (0-100) of a match."""
    wanted = encoder.vector(source.image, source.detection)
    compared = [(each, encoder.similarity(wanted, encoder.vector(each.image, each.detection))) for each in targets]
    compared.sort(key=lambda pair: -pair[1])
    return {
        "SourceImageFace": source.summary(),
        "FaceMatches": [
            {"Similarity": round(percent, 4), "Face": each.summary()} for each, percent in compared if percent >= threshold
        ],
        "UnmatchedFaces": [each.summary() for each, percent in compared if percent < threshold],
    }


def cut(image: Image, box: Box) -> Image:
    """Returns the part of the image in a box, at least one pixel."""
    left, top = max(0, int(box.left * image.width)), max(0, int(box.top * image.height))
    right = min(image.width, round((box.left + box.width) * image.width))
    bottom = min(image.height, round((box.top + box.height) * image.height))
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    return image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
