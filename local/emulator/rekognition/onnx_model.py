"""A user's own ONNX model as the source of labels: prepared pictures in, sightings in Rekognition's vocabulary out."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.rekognition import onnx_layouts as layouts
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.sightings import Box, Sighting, strongest
from local.emulator.rekognition.taxonomy import label_for

if TYPE_CHECKING:
    from PIL.Image import Image

OVERLAP = 0.45  # non-maximum suppression
GREY = (114, 114, 114)
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
CLASSIFIER_CROP = 224 / 256  # the middle of the picture that ImageNet classifiers are trained on
DEFAULT_SIDE = {"classifier": 224}
DEFAULT_DETECTOR_SIDE = 640
TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}


class OnnxModel:
    """One loaded model. Thread-safe, as onnxruntime's sessions are."""

    def __init__(self, path: Path, labels: Path | None = None) -> None:
        """Load and try the model on an empty picture. Raises EngineSetup with the reason when it isn't understood."""
        self._session = _session(path)
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

    def see(self, image: Image) -> list[Sighting]:
        """What the model finds in an upright RGB image."""
        if self.layout == "classifier":
            found = layouts.read_classifier(self._run(self._normalised(_middle(image)))[0])
            return self._sightings(found, None)
        if self.layout == "detr":
            outputs = self._run(self._normalised(image))
            return self._sightings(layouts.read_detr(outputs, self._boxes_at or 0, len(self._names)), (1, 1, 0, 0))
        pixels, frame = self._letterboxed(image)
        output = self._run(pixels)[0]
        if self.layout == "end-to-end":
            return self._sightings(layouts.read_end_to_end(output), frame)
        return strongest(self._sightings(layouts.read_yolo(output), frame), OVERLAP)

    def _sightings(self, found: list[layouts.Raw], frame: tuple[float, float, float, float] | None) -> list[Sighting]:
        """`frame` is the picture within the input: width, height, left and top, in the unit of the boxes."""
        sightings = []
        for each in found:
            label = self._labels[each.class_index] if 0 <= each.class_index < len(self._labels) else None
            if label:
                box = _box(each.corners, frame) if each.corners and frame else None
                sightings.append(Sighting(label, 100 * min(1.0, each.score), box))
        return sightings

    def _letterboxed(self, image: Image) -> tuple[Any, tuple[float, float, float, float]]:
        import numpy as np
        from PIL import Image as Pillow

        height, width = self._side
        scale = min(width / image.width, height / image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        canvas = Pillow.new("RGB", (width, height), GREY)
        canvas.paste(image.resize(size, Pillow.Resampling.BILINEAR), (left, top))
        return np.asarray(canvas, dtype="float32") / 255, (*size, left, top)

    def _normalised(self, image: Image) -> Any:
        import numpy as np
        from PIL import Image as Pillow

        height, width = self._side
        pixels = np.asarray(image.resize((width, height), Pillow.Resampling.BILINEAR), dtype="float32") / 255
        return (pixels - np.array(MEAN, "float32")) / np.array(DEVIATION, "float32")

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


def _session(path: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise EngineSetup("A model of your own needs onnxruntime. Install it with: pip install onnxruntime") from error
    if not path.is_file():
        raise EngineSetup(f"There is no model at {path}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several analyses run side by side
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineSetup(f"{path} can't be loaded as an ONNX model: {error}") from error


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
        raise EngineSetup("This model doesn't name its classes: give a labels file (one name a line) with --labels.")
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


def _box(corners: tuple[float, float, float, float], frame: tuple[float, float, float, float]) -> Box:
    """Ratios of the picture, cut at its edges."""
    width, height, left, top = frame
    x1, y1, x2, y2 = corners
    return Box((x1 - left) / width, (y1 - top) / height, (x2 - x1) / width, (y2 - y1) / height).within_picture()
