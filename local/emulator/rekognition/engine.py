"""The engine: answers one Rekognition operation at a time, from a request's JSON to an answer's JSON.

The order is the service's: the operation, its parameters, the object, the image's size, format and sides. A recorded answer
for these bytes comes next, and only without one the picture is analysed.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import colours, filtering, pictures, validation
from local.emulator.rekognition.cascades import check_opencv_version, load_opencv
from local.emulator.rekognition.collections.operations import CollectionOperations
from local.emulator.rekognition.detections import Box
from local.emulator.rekognition.detectors import Detectors
from local.emulator.rekognition.errors import InternalFailure, InvalidParameter, RekognitionError, UnknownOperation
from local.emulator.rekognition.eyes import NOT_CHECKED, Eyes
from local.emulator.rekognition.face_vectors import FaceVectors
from local.emulator.rekognition.found_faces import FoundFace, compare, cut
from local.emulator.rekognition.labels import labels_from
from local.emulator.rekognition.models.folder import ModelsFolder
from local.emulator.rekognition.onnx_model import Normalisation, OnnxModel
from local.emulator.rekognition.picture_vectors import PictureVectors
from local.emulator.rekognition.recorded import Recordings
from local.emulator.rekognition.requests import Fetch, image_content, with_decoded_bytes
from local.emulator.rekognition.text_reader import TextReader

if TYPE_CHECKING:
    from PIL.Image import Image

Answer = dict[str, Any]

WORKING_SIDE = 1280  # pixels of the long side that pictures are decoded to
MOST_FACES = 100

log = logging.getLogger(__name__)


class Engine:
    """Rekognition's image operations on this machine. Thread-safe; at most `concurrency` analyses run at once."""

    def __init__(
        self,
        recorded: Path | None = None,
        model: Path | None = None,
        labels: Path | None = None,
        *,
        normalisation: Normalisation | None = None,
        models: Path | None = None,
        concurrency: int = 2,
    ) -> None:
        """`recorded`: a folder of recorded answers; `model`, `labels`, `normalisation`: an ONNX model, its class names and
        what it expects of pixels; `models`: the folder with the embedded models, None for OpenCV's cascades alone.

        Raises EngineSetup, with what to do, for OpenCV 5, a bad recording, a damaged model, or one that isn't understood.
        """
        check_opencv_version()
        self._recordings = Recordings(recorded) if recorded else None
        own = OnnxModel(model, labels, normalisation) if model else None
        self._eyes = Eyes(ModelsFolder(models) if models else None, own)
        self._text = TextReader.if_installed() if models else None
        self._face_vectors = FaceVectors.if_installed() if models else None
        self._encoder = self._face_vectors or PictureVectors()
        self._collections = CollectionOperations(self._encoder)
        self._decoding = threading.BoundedSemaphore(concurrency)
        self._idle: queue.LifoQueue[Detectors | None] = queue.LifoQueue()
        for _ in range(concurrency):
            self._idle.put(None)
        self._operations: dict[str, Callable[[Image, Answer], Answer]] = {
            "DetectLabels": self._detect_labels,
            "DetectModerationLabels": self._detect_moderation_labels,
            "DetectText": self._detect_text,
            "DetectFaces": self._detect_faces,
        }

    @property
    def label_version(self) -> str:
        """The LabelModelVersion of computed answers: never one of Rekognition's."""
        return self._eyes.label_version

    @property
    def versions(self) -> dict[str, str]:
        """What answers labels, moderation, text, the comparison of faces and collections; "none" for nothing."""
        return {
            "labels": self._eyes.label_version,
            "moderation": self._eyes.moderation_version,
            "text": self._text.version if self._text else NOT_CHECKED,
            "faces": self._face_vectors.version if self._face_vectors else NOT_CHECKED,
            "collections": self._encoder.version,
        }

    def prepare(self) -> None:
        """Loads OpenCV, one set of cascades and the models now, so that the first picture doesn't wait for them."""
        load_opencv()
        with self._detectors():
            self._eyes.load()

    def handle(self, operation: str, payload: dict[str, Any], fetch: Fetch) -> tuple[int, Answer]:
        """Answers one request: returns the HTTP status and the JSON body.

        `payload` is the request as it came over the wire (Bytes in base64). `fetch(bucket, key, version)` reads an object
        and raises ObjectNotReadable. Errors are answers (`__type`, `Message`), not exceptions.
        """
        try:
            return 200, self._answer(operation, payload, fetch)
        except RekognitionError as error:
            return error.status, error.answer()
        except Exception as error:
            log.exception("%s failed", operation)
            failure = InternalFailure(f"The local engine failed: {type(error).__name__}: {error}")
            return failure.status, failure.answer()

    def _answer(self, operation: str, payload: dict[str, Any], fetch: Fetch) -> Answer:
        if operation == "CompareFaces":
            return self._compare_faces(payload, fetch)
        if operation in self._collections.names:
            return self._answer_on_collection(operation, payload, fetch)
        if operation not in self._operations:
            offered = ", ".join([*self._operations, "CompareFaces", *self._collections.names])
            raise UnknownOperation(f"{operation} is not offered by the local engine. It offers {offered}.")
        request = with_decoded_bytes(payload, "Image")
        validation.check_request(operation, request)
        content, limit = image_content(request["Image"], fetch)
        picture = pictures.open_picture(content, limit)
        answer = self._recordings.answer(operation, content) if self._recordings else None
        if answer is None:
            answer = self._operations[operation](picture, request)
        return filtering.apply(operation, answer, request)

    @contextmanager
    def _detectors(self) -> Iterator[Detectors]:
        """Lends one set of cascades; waits while all are in use, which limits the analyses at once."""
        detectors = self._idle.get()
        try:
            detectors = detectors or Detectors()
            yield detectors
        finally:
            self._idle.put(detectors)

    def _detect_labels(self, picture: Image, request: Answer) -> Answer:
        features = filtering.wanted_features(request)
        with self._detectors() as detectors:
            image = pictures.decode_upright(picture, WORKING_SIDE)
            answer: Answer = {"Labels": [], "LabelModelVersion": self.label_version}
            if "GENERAL_LABELS" in features:
                answer["Labels"] = labels_from(self._eyes.see(image, detectors))
            if "IMAGE_PROPERTIES" in features:
                wanted = filtering.wanted_colours(request)
                answer["ImageProperties"] = colours.image_properties(image, wanted)
                _colour_instances(answer["Labels"], image, wanted)
        return answer

    def _detect_moderation_labels(self, picture: Image, request: Answer) -> Answer:
        with self._decoding:
            image = pictures.decode_upright(picture, WORKING_SIDE)
            found = self._eyes.moderation_labels(image)
        return {"ModerationLabels": found, "ModerationModelVersion": self._eyes.moderation_version}

    def _detect_text(self, picture: Image, request: Answer) -> Answer:
        """Without the text extra nothing reads: the version says so. The picture must decode all the same."""
        with self._decoding:
            image = pictures.decode_upright(picture, WORKING_SIDE if self._text else pictures.MIN_SIDE)
            found = self._text.detections(image) if self._text else []
        return {"TextDetections": found, "TextModelVersion": self.versions["text"]}

    def _detect_faces(self, picture: Image, request: Answer) -> Answer:
        return {"FaceDetails": [face.detail() for face in self._faces(picture)]}

    def _faces(self, picture: Image) -> list[FoundFace]:
        """The faces of people in a picture, the largest first, at most 100."""
        original = max(picture.size)
        with self._detectors() as detectors:
            image = pictures.decode_upright(picture, WORKING_SIDE)
            found = self._eyes.faces(image, detectors)
        scale = original / max(image.size)
        faces = [FoundFace(image, face, scale) for face in found if face.box and face.confidence >= filtering.LABELS_FLOOR]
        return faces[:MOST_FACES]

    def _answer_on_collection(self, operation: str, payload: Answer, fetch: Fetch) -> Answer:
        request = with_decoded_bytes(payload, "Image")
        validation.check_request(operation, request)

        def find_faces() -> tuple[bytes, list[FoundFace]]:
            content, limit = image_content(request["Image"], fetch)
            return content, self._faces(pictures.open_picture(content, limit))

        return self._collections.answer(operation, request, find_faces)

    def _compare_faces(self, payload: dict[str, Any], fetch: Fetch) -> Answer:
        """CompareFaces: the largest face of the source with each face of the target."""
        request = with_decoded_bytes(with_decoded_bytes(payload, "SourceImage"), "TargetImage")
        validation.check_request("CompareFaces", request)
        images = [pictures.open_picture(*image_content(request[name], fetch)) for name in ("SourceImage", "TargetImage")]
        if self._face_vectors is None:
            raise UnknownOperation(
                "CompareFaces needs dlib and its models, which are not installed. Install them with: "
                "pip install -r requirements/eyes-extras.txt"
            )
        sources, targets = (self._faces(image) for image in images)
        if not sources:
            raise InvalidParameter("Request has invalid parameters: the source image has no face.")
        return compare(sources[0], targets, self._face_vectors, filtering.wanted_similarity(request))


def _colour_instances(labels: list[Answer], image: Image, wanted: int) -> None:
    for label in labels:
        for instance in label["Instances"]:
            box = instance["BoundingBox"]
            place = Box(box["Left"], box["Top"], box["Width"], box["Height"])
            instance["DominantColors"] = colours.dominant_colours(cut(image, place), wanted)
