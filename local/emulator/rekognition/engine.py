"""The engine: one Rekognition operation at a time, from a request's JSON to an answer's JSON.

Order as in the service: the operation, its parameters, the object, the image's size, format and sides; then what was recorded
for these very bytes, and only then a look at the picture.
"""

from __future__ import annotations

import base64
import binascii
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import colours, filtering, pictures, validation
from local.emulator.rekognition.cascades import check_opencv_version, load_opencv
from local.emulator.rekognition.detectors import Detectors
from local.emulator.rekognition.errors import (
    InternalFailure,
    InvalidParameter,
    InvalidS3Object,
    ObjectNotReadable,
    RekognitionError,
    Serialization,
    UnknownOperation,
)
from local.emulator.rekognition.labels import labels_from
from local.emulator.rekognition.onnx_model import OnnxModel
from local.emulator.rekognition.recorded import Recordings

if TYPE_CHECKING:
    from PIL.Image import Image

Fetch = Callable[[str, str, str | None], bytes]
Answer = dict[str, Any]

EMBEDDED_VERSION = "local-opencv-1"
NOT_LOOKED_AT = "none"
WORKING_SIDE = 1280  # pixels of the long side that pictures are decoded to

log = logging.getLogger(__name__)


class Engine:
    """Rekognition's image operations on this machine. Thread-safe; at most `concurrency` analyses run at once."""

    def __init__(
        self,
        recorded: Path | None = None,
        model: Path | None = None,
        labels: Path | None = None,
        *,
        concurrency: int = 2,
    ) -> None:
        """`recorded`: a directory of recorded answers; `model`, `labels`: an ONNX detector and its class names.

        Raises EngineSetup, with the cure, for OpenCV 5, a bad recording, or a model that isn't understood.
        """
        check_opencv_version()
        self._recordings = Recordings(recorded) if recorded else None
        self._model = OnnxModel(model, labels) if model else None
        self._decoding = threading.BoundedSemaphore(concurrency)
        self._idle: queue.LifoQueue[Detectors | None] = queue.LifoQueue()
        for _ in range(concurrency):
            self._idle.put(None)
        self._operations: dict[str, Callable[[Image, Answer], Answer]] = {
            "DetectLabels": self._detect_labels,
            "DetectModerationLabels": lambda picture, request: self._nothing(picture, "ModerationLabels", "Moderation"),
            "DetectText": lambda picture, request: self._nothing(picture, "TextDetections", "Text"),
            "DetectFaces": self._detect_faces,
        }

    @property
    def label_version(self) -> str:
        """The LabelModelVersion of computed answers: never one of Rekognition's."""
        return self._model.version if self._model else EMBEDDED_VERSION

    def prepare(self) -> None:
        """Load OpenCV and one set of detectors now, so that the first picture doesn't wait for them (0.3 s)."""
        load_opencv()
        with self._detectors():
            pass

    def handle(self, operation: str, payload: dict[str, Any], fetch: Fetch) -> tuple[int, Answer]:
        """Answer one request: the HTTP status, and the JSON body.

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
        if operation not in self._operations:
            raise UnknownOperation(f"{operation} is not offered by the local engine; {', '.join(self._operations)} are.")
        request = _with_bytes(payload)
        validation.check_request(operation, request)
        content, limit = _content(request["Image"], fetch)
        picture = pictures.open_picture(content, limit)
        answer = self._recordings.answer(operation, content) if self._recordings else None
        if answer is None:
            answer = self._operations[operation](picture, request)
        return filtering.apply(operation, answer, request)

    @contextmanager
    def _detectors(self) -> Iterator[Detectors]:
        """Lend one set of detectors; waits while all are at work, which bounds the analyses too."""
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
                answer["Labels"] = labels_from((self._model or detectors).see(image))
            if "IMAGE_PROPERTIES" in features:
                wanted = filtering.wanted_colours(request)
                answer["ImageProperties"] = colours.image_properties(image, wanted)
                _colour_instances(answer["Labels"], image, wanted)
        return answer

    def _detect_faces(self, picture: Image, request: Answer) -> Answer:
        with self._detectors() as detectors:
            image = pictures.decode_upright(picture, WORKING_SIDE)
            found = [face for face in detectors.faces(image) if face.confidence >= filtering.LABELS_FLOOR]
            details = [
                {
                    "BoundingBox": face.box.wire(),
                    "Confidence": round(face.confidence, 4),
                    "Quality": colours.quality(_cut(image, face.box.wire())),
                }
                for face in found
                if face.box
            ]
        return {"FaceDetails": details[:100]}

    def _nothing(self, picture: Image, findings: str, kind: str) -> Answer:
        """No model looked: the version says so. The picture must decode all the same."""
        with self._decoding:
            pictures.decode_upright(picture, pictures.MIN_SIDE)
        return {findings: [], f"{kind}ModelVersion": NOT_LOOKED_AT}


def _with_bytes(payload: dict[str, Any]) -> dict[str, Any]:
    """The request with Image.Bytes decoded from base64. Raises Serialization."""
    image = payload.get("Image")
    if not isinstance(image, dict) or not isinstance(image.get("Bytes"), str):
        return payload
    try:
        return {**payload, "Image": {**image, "Bytes": base64.b64decode(image["Bytes"], validate=True)}}
    except binascii.Error as error:
        raise Serialization(f"Image.Bytes is not base64: {error}") from error


def _content(image: dict[str, Any], fetch: Fetch) -> tuple[bytes, int]:
    """The image's bytes, and the limit that holds for where they came from."""
    inline, place = image.get("Bytes"), image.get("S3Object")
    if (inline is None) == (place is None):
        raise InvalidParameter("Request has invalid parameters: Image needs either Bytes or S3Object.")
    if place is None:
        return inline or b"", pictures.MAX_INLINE_BYTES
    bucket, key = place.get("Bucket"), place.get("Name")
    if not bucket or not key:
        raise InvalidParameter("Request has invalid parameters: S3Object needs Bucket and Name.")
    try:
        return fetch(bucket, key, place.get("Version")), pictures.MAX_S3_BYTES
    except ObjectNotReadable as error:
        raise InvalidS3Object(
            f"Unable to get object metadata from S3. Check object key, region and/or access permissions. {error}".strip()
        ) from error


def _colour_instances(labels: list[Answer], image: Image, wanted: int) -> None:
    for label in labels:
        for instance in label["Instances"]:
            instance["DominantColors"] = colours.dominant_colours(_cut(image, instance["BoundingBox"]), wanted)


def _cut(image: Image, box: dict[str, float]) -> Image:
    """The part of the image in a box, at least one pixel."""
    left, top = max(0, int(box["Left"] * image.width)), max(0, int(box["Top"] * image.height))
    right = min(image.width, round((box["Left"] + box["Width"]) * image.width))
    bottom = min(image.height, round((box["Top"] + box["Height"]) * image.height))
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    return image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
