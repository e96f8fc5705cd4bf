"""Small, distinct pictures with recorded Rekognition answers."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

MODEL = "3.0"


def picture(number: int, kind: str = "JPEG", side: int = 96) -> bytes:
    """A picture that differs for each number: coarse noise of one or two kilobytes."""
    noise = random.Random(number).randbytes(8 * 8 * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (8, 8), noise).resize((side, side), Image.Resampling.NEAREST).save(buffer, kind)
    return buffer.getvalue()


def record(directory: Path, body: bytes, labels: Mapping[str, float]) -> None:
    """Records Rekognition's answers for these bytes: these labels (name -> confidence, 0-100), and no moderation labels."""
    answers: dict[str, Any] = {
        "DetectLabels": {
            "Labels": [
                {"Name": name, "Confidence": confidence, "Instances": [], "Parents": [], "Aliases": [], "Categories": []}
                for name, confidence in labels.items()
            ],
            "LabelModelVersion": MODEL,
        },
        "DetectModerationLabels": {"ModerationLabels": [], "ModerationModelVersion": MODEL},
    }
    (directory / f"{hashlib.sha256(body).hexdigest()}.json").write_text(json.dumps(answers))
