"""Everything that looks at a picture for labels and for moderation: OpenCV's cascades, the embedded models, the user's model.

What is installed decides: without the models folder only the cascades look. Sessions are made when they are first needed.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import classifier, verification
from local.emulator.rekognition.classifier import Classifier
from local.emulator.rekognition.detections import Detection, strongest
from local.emulator.rekognition.explicit_content import ExplicitContentModel
from local.emulator.rekognition.merging import OVERLAP, merge, people_faces
from local.emulator.rekognition.models.catalogue import EFFICIENTNET, NANODET, OPENNSFW, EmbeddedModel
from local.emulator.rekognition.models.folder import ModelsFolder
from local.emulator.rekognition.object_detector import ObjectDetector
from local.emulator.rekognition.onnx_model import OnnxModel

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from local.emulator.rekognition.detectors import Detectors

CASCADES_VERSION = "local-opencv-1"
NOT_CHECKED = "none"
EXPLICIT_ONLY = "explicit content only"


class Eyes:
    """The models that are there. Thread-safe; the cascades, which aren't, are lent to each call by the engine."""

    def __init__(self, folder: ModelsFolder | None, own: OnnxModel | None) -> None:
        """Raises ModelFileError when an installed model is damaged."""
        self._own = own
        self._loading = threading.RLock()
        self._paths: dict[EmbeddedModel, Path] = {}
        for model in (NANODET, EFFICIENTNET, OPENNSFW):
            if folder is not None and folder.has(model):
                self._paths[model] = folder.verified(model)

    @property
    def label_version(self) -> str:
        """The LabelModelVersion of computed answers: everything that looks. Never one of Rekognition's."""
        embedded = [model.version for model in (NANODET, EFFICIENTNET) if model in self._paths]
        return "+".join([*([self._own.version] if self._own else []), CASCADES_VERSION, *embedded])

    @property
    def moderation_version(self) -> str:
        """The ModerationModelVersion; where it checks only a part, that part is in parentheses."""
        return f"local-{OPENNSFW.version} ({EXPLICIT_ONLY})" if OPENNSFW in self._paths else NOT_CHECKED

    def load(self) -> None:
        """Makes all sessions now, so that the first picture doesn't wait for them."""
        _ = (self._objects, self._classifier, self._explicit)

    def see(self, image: Image, cascades: Detectors) -> list[Detection]:
        """Returns everything that is found in an upright RGB image."""
        found = self._found_by_models(image)
        seen = cascades.see(image, cats=self._objects is None)
        own = self._own.see(image) if self._own else []
        return strongest([*merge(seen, found, objects=self._objects is not None), *own], OVERLAP)

    def faces(self, image: Image, cascades: Detectors) -> list[Detection]:
        """Returns the faces of people, the largest first, in an upright RGB image."""
        faces = cascades.faces(image)
        found = self._found_by_models(image) if faces else []
        return people_faces(faces, found, objects=self._objects is not None)

    def moderation_labels(self, image: Image) -> list[dict[str, Any]]:
        """Returns Rekognition's ModerationLabels; the version says what they were checked for."""
        return self._explicit.moderation_labels(image) if self._explicit else []

    def _found_by_models(self, image: Image) -> list[Detection]:
        """Returns labels with boxes from the detector and labels of the whole picture from the classifier."""
        whole = self._classifier.probabilities(image) if self._classifier else None
        labels = classifier.labels_of(whole) if whole is not None else []
        if self._objects is None:
            return labels
        candidates = self._objects.candidates(image)
        observations = verification.observe(image, candidates, self._classifier, whole)
        return [*verification.detections_of(observations), *labels]

    @cached_property
    def _objects(self) -> ObjectDetector | None:
        with self._loading:
            return ObjectDetector(self._paths[NANODET]) if NANODET in self._paths else None

    @cached_property
    def _classifier(self) -> Classifier | None:
        with self._loading:
            return Classifier(self._paths[EFFICIENTNET]) if EFFICIENTNET in self._paths else None

    @cached_property
    def _explicit(self) -> ExplicitContentModel | None:
        with self._loading:
            return ExplicitContentModel(self._paths[OPENNSFW]) if OPENNSFW in self._paths else None
