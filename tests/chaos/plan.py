"""Plans what chaos uploads and how each image must end. A seed determines the whole plan."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagewatch.images.decoding import examine
from tests.recorded_images import picture, record

RULES = {"watch-person": "Person", "watch-weapon": "Weapon"}
CONVERTED = ("WEBP", "GIF", "BMP", "TIFF")
SCENERY = ("Tree", "Sky", "Car", "Dog", "Street", "Cat", "House", "Bicycle")
UNREADABLE = (
    "this is not JSON",
    '{"Records": []}',
    '{"detail": "an EventBridge event"}',
    '{"Records": [{"eventSource": "aws:sqs", "body": "a nested message"}]}',
    '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRestore:Completed"}]}',
)


@dataclass(frozen=True)
class Upload:
    """One version of an image: its bytes, its final status, and its labels (confidence 0-100)."""

    body: bytes
    status: str
    labels: Mapping[str, float]

    @property
    def rules(self) -> set[str]:
        return {rule for rule, label in RULES.items() if label in self.labels}


@dataclass(frozen=True)
class Subject:
    """One key, with its uploads in order; `removed` when it is deleted afterwards."""

    key: str
    uploads: tuple[Upload, ...]
    removed: bool


def subjects(number: int, seed: int, recordings: Path) -> list[Subject]:
    """`number` keys; 1 in 12 is overwritten, 1 in 30 removed. Rekognition's answers are recorded for each upload."""
    dice = random.Random(seed)
    made = []
    for place in range(number):
        versions = 2 if dice.random() < 1 / 12 else 1
        uploads = tuple(_upload(dice, seed * 1_000_003 + 2 * place + version, recordings) for version in range(versions))
        made.append(Subject(f"uploads/camera-{place % 7}/{place:05}.jpg", uploads, removed=dice.random() < 1 / 30))
    return made


def _upload(dice: random.Random, number: int, recordings: Path) -> Upload:
    kind = dice.random()
    if kind < 0.05:
        return Upload(f"shopping list {number}".encode(), "REJECTED", {})
    if kind < 0.10:
        return Upload(picture(number, "PNG")[: dice.randrange(60, 160)], "REJECTED", {})
    labels = {name: round(dice.uniform(45, 99), 2) for name in dice.sample(SCENERY, dice.randrange(1, 6))}
    if dice.random() < 0.3:
        labels |= {"Person": round(dice.uniform(85, 99), 2)}
    if dice.random() < 0.05:
        labels |= {"Weapon": round(dice.uniform(85, 99), 2)}
    body = picture(number, dice.choice(CONVERTED) if kind < 0.25 else "JPEG")
    record(recordings, examine(body).converted or body, labels)
    return Upload(body, "ANALYZED", labels)
