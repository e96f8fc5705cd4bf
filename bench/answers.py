"""Plausible answers of Rekognition: any number of labels, with parents, aliases, categories and boxes."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

_VEHICLES, _PEOPLE, _HOME = "Vehicles and Automotive", "Person Description", "Home and Indoors"
_NATURE, _BUILDINGS, _TECHNOLOGY = "Nature and Outdoors", "Buildings and Architecture", "Technology and Computing"

# (name, all ancestors, synonym, category, number of boxes)
_LABELS: tuple[tuple[str, tuple[str, ...], str, str, int], ...] = (
    ("Person", (), "Human", _PEOPLE, 3),
    ("Car", ("Transportation", "Vehicle"), "Automobile", _VEHICLES, 2),
    ("Transportation", (), "", _VEHICLES, 0),
    ("Vehicle", ("Transportation",), "", _VEHICLES, 0),
    ("Wheel", ("Machine",), "", "Tools and Machinery", 4),
    ("Machine", (), "", "Tools and Machinery", 0),
    ("Road", (), "", "Transport and Logistics", 0),
    ("Street", ("City", "Road", "Urban"), "", _BUILDINGS, 0),
    ("City", ("Urban",), "Town", _BUILDINGS, 0),
    ("Urban", (), "", "Colors and Visual Composition", 0),
    ("Building", ("Architecture", "City", "Urban"), "", _BUILDINGS, 1),
    ("Architecture", (), "", _BUILDINGS, 0),
    ("Pedestrian", ("Person",), "", _PEOPLE, 0),
    ("Adult", ("Person",), "", _PEOPLE, 2),
    ("Clothing", (), "Apparel", "Apparel and Accessories", 0),
    ("Coat", ("Clothing",), "Overcoat", "Apparel and Accessories", 1),
    ("Handbag", ("Accessories", "Bag"), "Purse", "Apparel and Accessories", 1),
    ("Accessories", (), "Accessory", "Apparel and Accessories", 0),
    ("Bag", ("Accessories",), "", "Apparel and Accessories", 0),
    ("Mobile Phone", ("Electronics", "Phone"), "Cell Phone", _TECHNOLOGY, 1),
    ("Electronics", (), "", _TECHNOLOGY, 0),
    ("Phone", ("Electronics",), "", _TECHNOLOGY, 0),
    ("Traffic Light", ("Light",), "", "Transport and Logistics", 2),
    ("Light", (), "", _HOME, 0),
    ("Tree", ("Plant",), "", "Plants and Flowers", 0),
    ("Plant", (), "", "Plants and Flowers", 0),
    ("Bicycle", ("Transportation", "Vehicle"), "Bike", _VEHICLES, 1),
    ("License Plate", ("Transportation", "Vehicle"), "Number Plate", _VEHICLES, 1),
    ("Neighborhood", (), "", _BUILDINGS, 0),
    ("Outdoors", (), "", _NATURE, 0),
)
MOST_LABELS = len(_LABELS)


def labels_answer(count: int) -> dict[str, Any]:
    """DetectLabels' answer with `count` labels, at most MOST_LABELS. Equal counts give equal answers."""
    chance = random.Random(count)
    labels = [_label(entry, 99.9 - 1.9 * place - chance.random(), chance) for place, entry in enumerate(_LABELS[:count])]
    return {"Labels": labels, "LabelModelVersion": "3.0"}


def moderation_answer() -> dict[str, Any]:
    """DetectModerationLabels' answer for an ordinary image."""
    return {"ModerationLabels": [], "ModerationModelVersion": "7.0", "ContentTypes": []}


def record(image: bytes, labels: int, folder: Path) -> None:
    """Writes the answers for an image to the folder in which the local Rekognition finds them by the image's hash."""
    answers = {"DetectLabels": labels_answer(labels), "DetectModerationLabels": moderation_answer()}
    folder.mkdir(exist_ok=True)
    (folder / f"{hashlib.sha256(image).hexdigest()}.json").write_text(json.dumps(answers), encoding="utf-8")


def _label(entry: tuple[str, tuple[str, ...], str, str, int], confidence: float, chance: random.Random) -> dict[str, Any]:
    name, parents, alias, category, boxes = entry
    return {
        "Name": name,
        "Confidence": confidence,
        "Instances": [{"BoundingBox": _box(chance), "Confidence": confidence - place} for place in range(boxes)],
        "Parents": [{"Name": parent} for parent in parents],
        "Aliases": [{"Name": alias}] if alias else [],
        "Categories": [{"Name": category}],
    }


def _box(chance: random.Random) -> dict[str, float]:
    return {side: chance.uniform(0.05, 0.45) for side in ("Left", "Top", "Width", "Height")}
