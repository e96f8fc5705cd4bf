"""Reads text with RapidOCR (an optional package that brings its models), in the form of DetectText's answer."""

from __future__ import annotations

import importlib.util
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

CERTAIN_SCORE = 0.95  # any text with at least this score is kept
LIKELY_SCORE = 0.9  # ... and with this one, where it has at least two letters or digits
MOST_WORDS = 100  # Rekognition's limit


class Line(NamedTuple):
    """One line of text: what it says, the score (0-1) and the corners of its words in pixels."""

    text: str
    score: float
    corners: list[tuple[float, float]]
    words: list[tuple[str, float, list[tuple[float, float]]]]


class TextReader:
    """RapidOCR, loaded at the first picture. One picture at a time: the library isn't documented as thread-safe."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._lock = threading.Lock()

    @classmethod
    def if_installed(cls) -> TextReader | None:
        """Returns a reader, or None where RapidOCR isn't installed."""
        return cls() if importlib.util.find_spec("rapidocr") else None

    @property
    def version(self) -> str:
        """The TextModelVersion."""
        return f"local-rapidocr-{metadata.version('rapidocr')}"

    def detections(self, image: Image) -> list[dict[str, Any]]:
        """Returns TextDetections: each line, followed by its words."""
        found: list[dict[str, Any]] = []
        words = 0
        for line in self._lines(image):
            if words + len(line.words) > MOST_WORDS:
                break
            line_id = len(found)
            found.append(_detection(line_id, "LINE", line.text, line.score, line.corners, image.size))
            for text, score, corners in line.words:
                word = _detection(len(found), "WORD", text, score, corners, image.size)
                found.append({**word, "ParentId": line_id})
            words += len(line.words)
        return found

    def _lines(self, image: Image) -> list[Line]:
        import numpy as np

        with self._lock:
            self._engine = self._engine or _load()
            result = self._engine(np.asarray(image)[:, :, ::-1], return_word_box=True)
        if result.boxes is None:
            return []
        rows = zip(result.txts, result.scores, result.boxes.tolist(), result.word_results, strict=True)
        lines = [
            Line(text, float(score), _points(corners), _words(text, score, corners, pieces))
            for text, score, corners, pieces in rows
        ]
        return [line for line in lines if is_readable(line.text, line.score)]


def is_readable(text: str, score: float) -> bool:
    """Returns whether a line is text and not a pattern that looks like it."""
    return score >= CERTAIN_SCORE or (score >= LIKELY_SCORE and sum(character.isalnum() for character in text) >= 2)


def _load() -> Any:
    import logging

    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.WARNING)
    return RapidOCR(params={"Global.log_level": "warning", "EngineConfig.onnxruntime.intra_op_num_threads": 1})


def _points(corners: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in corners]


def _words(text: str, score: float, corners: Any, pieces: Any) -> list[tuple[str, float, list[tuple[float, float]]]]:
    """The words of a line; RapidOCR's own where they make up the text, else the line itself is the only word."""
    words = [(str(word), float(sure), _points(box)) for word, sure, box in pieces or () if box is not None and str(word).strip()]
    return words or [(text, float(score), _points(corners))]


def _detection(
    place: int, kind: str, text: str, score: float, corners: list[tuple[float, float]], size: tuple[int, int]
) -> dict[str, Any]:
    across, down = [x / size[0] for x, _ in corners], [y / size[1] for _, y in corners]
    return {
        "DetectedText": text,
        "Type": kind,
        "Id": place,
        "Confidence": round(min(99.9, 100 * score), 4),
        "Geometry": {
            "BoundingBox": {
                "Width": max(across) - min(across),
                "Height": max(down) - min(down),
                "Left": min(across),
                "Top": min(down),
            },
            "Polygon": [{"X": x, "Y": y} for x, y in zip(across, down, strict=True)],
        },
    }
