"""NanoDet: finds 80 kinds of things with their boxes. Its scores are not probabilities yet; see verification.py.

Source of the input's normalisation and of the outputs' meaning: RangiLyu/nanodet, config/legacy_v0.x_configs/nanodet-g.yml
and nanodet/model/head (generalized focal loss: each side's distance is the mean of a distribution over 0 to 10 strides).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from local.emulator.rekognition.detections import Box
from local.emulator.rekognition.letterbox import Frame, letterboxed, stretched
from local.emulator.rekognition.onnx_session import load_session

if TYPE_CHECKING:
    from PIL.Image import Image

LABELS_FILE = Path(__file__).with_name("coco_labels.txt")
SIDE = 416
MEAN_BGR = (103.53, 116.28, 123.675)
DEVIATION_BGR = (57.375, 57.12, 58.395)
OUTPUTS = (("Identity", "Identity_3", 8), ("Identity_1", "Identity_4", 16), ("Identity_2", "Identity_5", 32))  # stride
SCORE_FLOOR = 0.3
OVERLAP = 0.5
MOST_CANDIDATES = 40


class Candidate(NamedTuple):
    """A thing that NanoDet proposes: the label, its score (0-1, not a probability) and its place."""

    label: str
    score: float
    box: Box


class ObjectDetector:
    """One loaded NanoDet. Thread-safe, as onnxruntime's sessions are."""

    def __init__(self, path: Path) -> None:
        self._session = load_session(path)
        self._labels = LABELS_FILE.read_text().splitlines()

    def candidates(self, image: Image) -> list[Candidate]:
        """Returns what NanoDet proposes for an upright RGB image, the highest score first.

        The picture is shown twice, with its proportions kept and stretched to the square: each finds things that the other
        misses.
        """
        found: list[Candidate] = []
        for pixels, frame in (letterboxed(image, SIDE, SIDE), stretched(image, SIDE, SIDE)):
            found += self._read(pixels, frame)
        return _without_repetitions(found)[:MOST_CANDIDATES]

    def _read(self, pixels: Any, frame: Frame) -> list[Candidate]:
        import numpy as np

        normalised = (pixels[:, :, ::-1] - np.array(MEAN_BGR, "float32")) / np.array(DEVIATION_BGR, "float32")
        names = [name for scores, distances, _ in OUTPUTS for name in (scores, distances)]
        values = self._session.run(names, {"input_1": np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])})
        candidates: list[Candidate] = []
        for place, (_, _, stride) in enumerate(OUTPUTS):
            scores = values[2 * place][0]
            for row, label in zip(*(scores >= SCORE_FLOOR).nonzero(), strict=True):
                corners = _corners(values[2 * place + 1][0][row], int(row), stride)
                candidates.append(Candidate(self._labels[label], float(scores[row, label]), frame.box(corners)))
        return candidates


def _corners(distances: Any, row: int, stride: int) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 in pixels of the input; `distances` are logits for 0 to 10 strides to each of the four sides."""
    import numpy as np

    powers = np.exp(distances.reshape(4, -1) - distances.reshape(4, -1).max(axis=1, keepdims=True))
    left, top, right, bottom = ((powers @ np.arange(powers.shape[1])) / powers.sum(axis=1) * stride).tolist()
    down, across = divmod(row, SIDE // stride)
    x, y = (across + 0.5) * stride, (down + 0.5) * stride
    return x - left, y - top, x + right, y + bottom


def _without_repetitions(candidates: list[Candidate]) -> list[Candidate]:
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: -each.score):
        if not any(each.label == candidate.label and each.box.overlap(candidate.box) > OVERLAP for each in kept):
            kept.append(candidate)
    return kept
