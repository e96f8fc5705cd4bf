"""Rekognition's Labels from sightings: one label for each name, and each ancestor as a label of its own."""

from __future__ import annotations

from typing import Any

from local.emulator.rekognition import taxonomy
from local.emulator.rekognition.sightings import Sighting


def labels_from(sightings: list[Sighting]) -> list[dict[str, Any]]:
    """Labels in Rekognition's form, the surest first.

    A label is as sure as the surest thing that implies it. Only what was itself seen has instances; an ancestor has none.
    """
    surest: dict[str, float] = {}
    instances: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        for name in (sighting.name, *taxonomy.term(sighting.name).parents):
            surest[name] = max(surest.get(name, 0.0), sighting.confidence)
        if sighting.box:
            instances.setdefault(sighting.name, []).append(sighting)
    labels = [_label(name, confidence, instances.get(name, [])) for name, confidence in surest.items()]
    return sorted(labels, key=lambda label: -label["Confidence"])


def _label(name: str, confidence: float, seen: list[Sighting]) -> dict[str, Any]:
    term = taxonomy.term(name)
    return {
        "Name": name,
        "Confidence": round(confidence, 4),
        "Instances": [
            {"BoundingBox": each.box.wire(), "Confidence": round(each.confidence, 4)}
            for each in sorted(seen, key=lambda each: -each.confidence)
            if each.box
        ],
        "Parents": [{"Name": parent} for parent in term.parents],
        "Aliases": [{"Name": alias} for alias in term.aliases],
        "Categories": [{"Name": category} for category in term.categories],
    }
