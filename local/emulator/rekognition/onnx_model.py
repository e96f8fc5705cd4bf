"""A user's own ONNX model: it prepares pictures for the model and returns detections in Rekognition's vocabulary."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import onnx_layouts as layouts
from local.emulator.rekognition.detections import Detection, strongest
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.letterbox import Frame, letterboxed
from local.emulator.rekognition.onnx_session import load_session
from local.emulator.rekognition.taxonomy import label_for

if TYPE_CHECKING:
    from PIL.Image import Image

OVERLAP = 0.45  # non-maximum suppression
Colour = tuple[float, float, float]
CLASSIFIER_CROP = 224 / 256  # the middle of the picture that ImageNet classifiers are trained on
DEFAULT_SIDE = {"classifier": 224}
DEFAULT_DETECTOR_SIDE = 640
TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}


@dataclass(frozen=True)
class Normalisation:
    """What classifiers and DETR expect: (value / 255 - mean) / deviation for red, green and blue. ImageNet's by default."""

    mean: Colour = (0.485, 0.456, 0.406)
    deviation: Colour = (0.229, 0.224, 0.225)


class OnnxModel:
    """One loaded model. Thread-safe, as onnxruntime's sessions are."""

    def __init__(self, path: Path, labels: Path | None = None, normalisation: Normalisation | None = None) -> None:
        """Loads the model and tries it on an empty picture. Raises EngineSetup with the reason when it isn't understood."""
        self._session = load_session(path)
        self._normalisation = normalisation or Normalisation()
        self.version = f"onnx-{path.name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        self._names = _class_names(self._session, labels)
        self._labels = [label_for(name) for name in self._names]
        self._input, self._type, self._channels_last, sides = _image_input(self._session)
        self._side = sides or (DEFAULT_DETECTOR_SIDE, DEFAULT_DETECTOR_SIDE)
        outputs = [output.name for output in self._session.get_outputs()]
        trial = self._run(self._blank())
        shapes = [(name, tuple(value.shape)) for name, value in zip(outputs, trial, strict=True)]
        self.layout = layouts.layout_of(shapes, len(self._names))
        self._boxes_at = layouts.place_of_boxes(shapes, len(self._names)) if self.layout == "detr" else None
        if sides is None and self.layout in DEFAULT_SIDE:
            self._side = (DEFAULT_SIDE[self.layout],) * 2

    def see(self, image: Image) -> list[Detection]:
        """Returns what the model finds in an upright RGB image."""
        if self.layout == "classifier":
            found = layouts.read_classifier(self._run(self._normalised(_middle(image)))[0])
            return self._detections(found, None)
        if self.layout == "detr":
            outputs = self._run(self._normalised(image))
            return self._detections(layouts.read_detr(outputs, self._boxes_at or 0, len(self._names)), Frame(1, 1, 0, 0))
        pixels, frame = letterboxed(image, *self._side)
        output = self._run(pixels / 255)[0]
        read = layouts.read_end_to_end if self.layout == "end-to-end" else layouts.read_yolo
        # Some end-to-end models repeat a thing too; where one doesn't, this changes nothing.
        return strongest(self._detections(read(output), frame), OVERLAP)

    def _detections(self, found: list[layouts.Raw], frame: Frame | None) -> list[Detection]:
        """`frame` is the place of the picture in the input, None for a model without boxes."""
        detections = []
        for each in found:
            label = self._labels[each.class_index] if 0 <= each.class_index < len(self._labels) else None
            if label:
                box = frame.box(each.corners) if each.corners and frame else None
                detections.append(Detection(label, 100 * min(1.0, each.score), box))
        return detections

    def _normalised(self, image: Image) -> Any:
        import numpy as np
        from PIL import Image as Pillow

        height, width = self._side
        pixels = np.asarray(image.resize((width, height), Pillow.Resampling.BILINEAR), dtype="float32") / 255
        mean, deviation = (np.array(each, "float32") for each in (self._normalisation.mean, self._normalisation.deviation))
        return (pixels - mean) / deviation

    def _blank(self) -> Any:
        import numpy as np

        return np.zeros((*self._side, 3), "float32")

    def _run(self, pixels: Any) -> list[Any]:
        import numpy as np

        batch = pixels[None] if self._channels_last else pixels.transpose(2, 0, 1)[None]
        try:
            outputs = self._session.run(None, {self._input: np.ascontiguousarray(batch.astype(self._type))})
        except Exception as error:
            raise EngineSetup(f"The model doesn't run on an image of {self._side} pixels: {error}") from error
        return [np.asarray(output, dtype="float32") for output in outputs]


def _image_input(session: Any) -> tuple[str, str, bool, tuple[int, int] | None]:
    """Name, NumPy type, whether channels come last, and (height, width) or None where the model leaves them open."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in TYPES:
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise EngineSetup(f"This model's inputs ({found}) aren't understood: one image of floats, [1, 3, H, W], is expected.")
    batch, *sides = inputs[0].shape
    if isinstance(batch, int) and batch != 1:
        raise EngineSetup(f"This model takes {batch} images at a time; export it with a batch of 1.")
    if 3 not in (sides[0], sides[2]):
        raise EngineSetup(f"This model's input has the shape {inputs[0].shape}; [1, 3, H, W] or [1, H, W, 3] is expected.")
    last = sides[0] != 3
    height, width = sides[:2] if last else sides[1:]
    known = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return inputs[0].name, TYPES[inputs[0].type], last, known


def _class_names(session: Any, labels: Path | None) -> list[str]:
    if labels is not None:
        try:
            return _as_list(_parse_labels(labels.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise EngineSetup(f"The labels file {labels} can't be read: {error}") from error
    names = session.get_modelmeta().custom_metadata_map.get("names")
    if not names:
        raise EngineSetup(
            "This model's file doesn't name its classes. Pass a file with the names, one a line or as JSON: --labels FILE"
        )
    try:
        return _as_list(ast.literal_eval(names))
    except (ValueError, SyntaxError, TypeError) as error:
        raise EngineSetup(f"The class names in the model's metadata can't be read: {error}") from error


def _parse_labels(text: str) -> object:
    """One name a line, or JSON: a list, or `{"0": "person"}` as id2label writes it."""
    if text.lstrip().startswith(("[", "{")):
        return json.loads(text)
    return text.strip().splitlines()


def _as_list(names: object) -> list[str]:
    """Class names by index; an index without a name becomes N/A, which is never reported."""
    if isinstance(names, dict):
        by_index = {int(index): str(name) for index, name in names.items()}
        return [by_index.get(index, "N/A") for index in range(max(by_index) + 1)]
    if isinstance(names, (list, tuple)) and names:
        return [str(name) for name in names]
    raise TypeError("class names must be a list, or a mapping from index to name")


def _middle(image: Image) -> Image:
    side = round(min(image.size) * CLASSIFIER_CROP)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
