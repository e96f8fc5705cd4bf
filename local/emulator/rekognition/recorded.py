"""Recorded answers: real Rekognition answers, stored by the SHA-256 of the image and replayed for it.

A file `<sha256>.json` holds `{"DetectLabels": {...}, "DetectModerationLabels": {...}, "source": "..."}`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any

from local.emulator.rekognition.errors import EngineSetup, InternalFailure
from local.emulator.rekognition.filtering import FILTERS
from local.emulator.rekognition.validation import answer_problems

FILE_NAME = re.compile(r"[0-9a-f]{64}")
NOT_ANSWERS = {"source"}

Answers = dict[str, dict[str, Any]]


class BadRecording(ValueError):
    """A recording that can't be replayed; the message names the file and what is wrong with it."""


def load(path: Path, *, known_good: bool = False) -> Answers:
    """The answers of one file, by operation, each checked against botocore's output model. Raises BadRecording.

    A file that is `known_good` has been checked before.
    """
    if not FILE_NAME.fullmatch(path.stem):
        raise BadRecording(f"{path}: a recording is named after the SHA-256 of its image, 64 hexadecimal digits")
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadRecording(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise BadRecording(f"{path}: must hold a JSON object of answers by operation")
    answers = {operation: _bare(answer) for operation, answer in content.items() if operation not in NOT_ANSWERS}
    if not known_good:
        for operation, answer in answers.items():
            _check(path, operation, answer)
    return answers


def _bare(answer: Any) -> Any:
    """Without what boto3 adds when it prints an answer."""
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"} if isinstance(answer, dict) else answer


def _check(path: Path, operation: str, answer: object) -> None:
    if operation not in FILTERS:
        known = ", ".join([*FILTERS, *NOT_ANSWERS])
        raise BadRecording(f"{path}: {operation!r} is not replayed; known are {known}")
    problems = answer_problems(operation, answer)
    problems += [] if problems or not isinstance(answer, dict) else _without_confidence(operation, answer)
    if problems or not isinstance(answer, dict):
        raise BadRecording(f"{path}: {operation}: {'; '.join(problems[:3])}")


def _without_confidence(operation: str, answer: dict[str, Any]) -> list[str]:
    """Every member of an output is optional in the model; without these, an answer can't be filtered."""
    needed = {"DetectLabels": ("Labels", "Name"), "DetectModerationLabels": ("ModerationLabels", "Name")}
    findings, name = needed.get(operation, ("TextDetections" if operation == "DetectText" else "FaceDetails", None))
    return [
        f"{findings}[{place}] has no {member}"
        for place, each in enumerate(answer.get(findings, []))
        for member in ("Confidence", name)
        if member and member not in each
    ]


class Recordings:
    """The recordings of one directory. Files added later are found too; thread-safe.

    Answers are read on demand: a parsed answer takes 20 KB.
    """

    def __init__(self, directory: Path) -> None:
        """Checks all recordings, so that a bad file is found at the start. Raises EngineSetup with its name."""
        if not directory.is_dir():
            raise EngineSetup(f"{directory} is not a directory of recorded answers.")
        self._directory = directory
        self._lock = threading.Lock()
        try:
            self._good = {path.stem for path in sorted(directory.glob("*.json")) if load(path)}
        except BadRecording as error:
            raise EngineSetup(f"A recorded answer can't be replayed. {error}") from error

    def answer(self, operation: str, content: bytes) -> dict[str, Any] | None:
        """Returns the recorded answer for these image bytes and operation, or None. Raises InternalFailure for a bad new file."""
        name = hashlib.sha256(content).hexdigest()
        path = self._directory / f"{name}.json"
        if not path.exists():
            return None
        try:
            answers = load(path, known_good=name in self._good)
        except BadRecording as error:
            raise InternalFailure(f"A recorded answer can't be replayed. {error}") from error
        with self._lock:
            self._good.add(name)
        return answers.get(operation)
