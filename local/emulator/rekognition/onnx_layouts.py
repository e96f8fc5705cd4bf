"""What an ONNX model's outputs mean: four layouts, detected by their shapes. Others are refused with a reason.

| Layout     | Outputs                                        | Input                           |
|------------|------------------------------------------------|---------------------------------|
| yolo       | [1, 4 + classes, N]: cx, cy, w, h, scores      | RGB / 255, letterboxed with 114 |
| end-to-end | [1, N, 6]: x1, y1, x2, y2, score, class        | RGB / 255, letterboxed with 114 |
| detr       | logits [1, Q, classes (+ 1)], boxes [1, Q, 4]  | ImageNet mean and deviation     |
| classifier | [1, classes]                                   | ImageNet mean and deviation     |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from local.emulator.rekognition.errors import EngineSetup

SCORE_FLOOR = 0.05  # 0-1; below it a model's output is noise, whatever MinConfidence asks for
MOST_BOXES = 300


class Raw(NamedTuple):
    """One result of the model: class index, score (0-1), and x1, y1, x2, y2, or None without a place."""

    class_index: int
    score: float
    corners: tuple[float, float, float, float] | None


def layout_of(outputs: Sequence[tuple[str, tuple[int, ...]]], classes: int) -> str:
    """`yolo`, `end-to-end`, `detr` or `classifier`, from the outputs' names and shapes. Raises EngineSetup otherwise."""
    shapes = [shape for _, shape in outputs]
    if any(shape[:1] != (1,) for shape in shapes):
        raise _refusal(outputs, "the first dimension of each output must be 1, one image at a time")
    if len(shapes) == 1:
        return _single(outputs, shapes[0], classes)
    if len(shapes) == 2 and all(len(shape) == 3 for shape in shapes) and shapes[0][1] == shapes[1][1]:
        if place_of_boxes(outputs, classes) is not None:
            return "detr"
        raise _refusal(outputs, f"as a DETR it would need {classes} or {classes + 1} logits for the {classes} class names")
    raise _refusal(outputs, "several outputs are only known as DETR's logits and boxes")


def place_of_boxes(outputs: Sequence[tuple[str, tuple[int, ...]]], classes: int) -> int | None:
    """Which of a DETR's two outputs holds the boxes (0 or 1). With 3 or 4 classes the name must say it (`pred_boxes`)."""
    fitting = [place for place in (0, 1) if outputs[place][1][2] == 4 and outputs[1 - place][1][2] in (classes, classes + 1)]
    if len(fitting) == 2:
        fitting = [place for place in fitting if "box" in outputs[place][0].lower()]
    return fitting[0] if len(fitting) == 1 else None


def _single(outputs: Sequence[tuple[str, tuple[int, ...]]], shape: tuple[int, ...], classes: int) -> str:
    if len(shape) == 2:
        if shape[1] == classes:
            return "classifier"
        raise _refusal(outputs, f"as a classifier it has {shape[1]} classes, but there are {classes} class names")
    if len(shape) == 3 and shape[2] == 6 and shape[1] != 4 + classes:
        return "end-to-end"
    if len(shape) == 3 and shape[1] == 4 + classes:
        return "yolo"
    if len(shape) == 3 and shape[2] in (4 + classes, 5 + classes):
        raise _refusal(outputs, "rows of boxes (YOLOv5 and its objectness) aren't read; export it as [1, 4 + classes, N]")
    if len(shape) == 3:
        raise _refusal(outputs, f"with {classes} class names a YOLO has the shape [1, {4 + classes}, N]")
    raise _refusal(outputs, "no detector or classifier is known with these dimensions")


def _refusal(outputs: Sequence[tuple[str, tuple[int, ...]]], reason: str) -> EngineSetup:
    shapes = ", ".join(f"{name} {list(shape)}" for name, shape in outputs)
    return EngineSetup(f"This model's outputs ({shapes}) aren't understood: {reason}.")


def read_yolo(output: Any) -> list[Raw]:
    """Boxes in input pixels; overlapping boxes are not removed."""
    rows = output[0].T
    scores = rows[:, 4:]
    best = scores.argmax(axis=1)
    return [
        Raw(int(best[i]), float(scores[i, best[i]]), _corners(*(float(side) for side in rows[i, :4])))
        for i in _strong(scores.max(axis=1))
    ]


def read_end_to_end(output: Any) -> list[Raw]:
    """Boxes in input pixels, where overlapping boxes are removed by most models."""
    rows = output[0]
    return [
        Raw(int(rows[i, 5]), float(rows[i, 4]), tuple(float(side) for side in rows[i, :4]))  # type: ignore[arg-type]
        for i in _strong(rows[:, 4])
    ]


def read_detr(outputs: list[Any], boxes_at: int, classes: int) -> list[Raw]:
    """Boxes as ratios. One logit more than classes means "nothing" (softmax); as many as classes, a sigmoid for each."""
    import numpy as np

    boxes, logits = outputs[boxes_at][0], outputs[1 - boxes_at][0]
    nothing_has_a_class = logits.shape[1] == classes + 1
    scores = softmax(logits)[:, :classes] if nothing_has_a_class else 1 / (1 + np.exp(-logits))
    best = scores.argmax(axis=1)
    return [
        Raw(int(best[i]), float(scores[i, best[i]]), _corners(*(float(side) for side in boxes[i])))
        for i in _strong(scores.max(axis=1))
    ]


def read_classifier(output: Any) -> list[Raw]:
    """Probabilities; a model that ends before the softmax gets one."""
    scores = output[0]
    if scores.min() < 0 or abs(float(scores.sum()) - 1) > 0.01:
        scores = softmax(output)[0]
    return [Raw(int(i), float(scores[i]), None) for i in _strong(scores)]


def softmax(logits: Any) -> Any:
    """Probabilities along the last axis."""
    import numpy as np

    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _strong(scores: Any) -> list[int]:
    """Indices of the scores above the floor, the best first."""
    order = (-scores).argsort(kind="stable")[:MOST_BOXES]
    return [int(i) for i in order if scores[i] >= SCORE_FLOOR]


def _corners(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
