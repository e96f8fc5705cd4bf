"""Builds Rekognition's Labels from detections: one label for each name, and one for each of its ancestors."""

from __future__ import annotations

from typing import Any

from local.emulator.rekognition import taxonomy
from local.emulator.rekognition.detections import Detection
from local.emulator.rekognition.filtering import INSTANCE_FLOOR


def labels_from(detections: list[Detection]) -> list[dict[str, Any]]:
    """Returns labels in Rekognition's form, the most confident first.

    A label has the confidence of the most confident thing that implies it. Only a label that was detected itself has
    instances, and only those that are at least as likely as not: a box of 5 % must never count as one more person.
    """
    best: dict[str, float] = {}
    instances: dict[str, list[Detection]] = {}
    for detection in detections:
        for name in (detection.name, *taxonomy.term(detection.name).parents):
            best[name] = max(best.get(name, 0.0), detection.confidence)
        if detection.box and detection.confidence >= INSTANCE_FLOOR:
            instances.setdefault(detection.name, []).append(detection)
    labels = [_label(name, confidence, instances.get(name, [])) for name, confidence in best.items()]
    return sorted(labels, key=lambda label: -label["Confidence"])


def _label(name: str, confidence: float, instances: list[Detection]) -> dict[str, Any]:
    term = taxonomy.term(name)
    return {
        "Name": name,
        "Confidence": round(confidence, 4),
        "Instances": [
            {"BoundingBox": each.box.wire(), "Confidence": round(each.confidence, 4)}
            for each in sorted(instances, key=lambda each: -each.confidence)
            if each.box
        ],
        "Parents": [{"Name": parent} for parent in term.parents],
        "Aliases": [{"Name": alias} for alias in term.aliases],
        "Categories": [{"Name": category} for category in term.categories],
    }
