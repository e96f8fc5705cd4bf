"""Turns Rekognition's answers into the findings that are stored, searched and matched against the watchlist.

Confidence is 0-100, boxes are ratios 0-1 of the upright image. Field names are Rekognition's own where it has one.
Source of the limits: Rekognition's developer guide (labels, moderation, text), botocore's model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from imagewatch.errors import AnalysisIncomplete, ImageRejected
from imagewatch.images.failure_reasons import explain

# Step Functions passes at most 262,144 bytes from state to state. A state holds three findings, and later the matched rules.
MAX_FINDING_BYTES = 70_000
MAX_TEXT_BYTES = 30_000  # DetectText returns at most 100 words, each alone and as part of a line
MAX_INSTANCES = 100
NO_MODEL = "none"

CHECKED = "CHECKED"
NOT_CHECKED = "NOT_CHECKED"


def labels_found(answer: Mapping[str, Any]) -> dict[str, Any]:
    """DetectLabels' answer as {Labels, ModelVersion}, highest confidence first. `Omitted` counts labels that don't fit."""
    labels = [
        {
            "Name": label["Name"],
            "Confidence": _confidence(label),
            "Parents": _names(label, "Parents"),
            "Aliases": _names(label, "Aliases"),
            "Categories": _names(label, "Categories"),
            "Instances": [_instance(instance) for instance in label.get("Instances", [])[:MAX_INSTANCES]],
        }
        for label in answer.get("Labels", [])
    ]
    return _within_budget("Labels", labels, answer.get("LabelModelVersion"))


def moderation_found(answer: Mapping[str, Any]) -> dict[str, Any]:
    """DetectModerationLabels' answer as {Status, Labels, ModelVersion}; each label with its chain of parents, nearest first.

    An answer without a model version means that the image was not examined. It must never look like an image without findings.
    A model version that ends with a limit in parentheses, such as "(explicit content only)", gives the finding a Scope, which is
    shown beside every result.
    """
    model = str(answer.get("ModerationModelVersion") or NO_MODEL)
    found = answer.get("ModerationLabels", [])
    if model == NO_MODEL:
        return not_moderated("No moderation model examined this image.")
    parent_of = {label["Name"]: label.get("ParentName") or "" for label in found}
    labels = [
        {
            "Name": label["Name"],
            "Confidence": _confidence(label),
            "Parents": _chain(label["Name"], parent_of),
            "TaxonomyLevel": int(label.get("TaxonomyLevel") or 1 + len(_chain(label["Name"], parent_of))),
        }
        for label in found
    ]
    scope = {"Scope": limit} if (limit := _scope_of(model)) else {}
    return {"Status": CHECKED, **scope, **_within_budget("Labels", labels, model)}


def _scope_of(model: str) -> str:
    """The limit that a model version names in parentheses at its end; empty for a model that checks everything."""
    _, opened, rest = model.partition("(")
    return rest[:-1].strip() if opened and rest.endswith(")") else ""


def not_moderated(reason: str) -> dict[str, Any]:
    """The moderation finding of an image that was not examined."""
    return {"Status": NOT_CHECKED, "Reason": reason, "Labels": [], "ModelVersion": NO_MODEL}


def text_found(answer: Mapping[str, Any]) -> dict[str, Any]:
    """DetectText's answer as {Text, ModelVersion}: lines and words with their boxes."""
    text = [
        {
            "Text": detection["DetectedText"],
            "Type": detection["Type"],
            "Confidence": _confidence(detection),
            "BoundingBox": _box(detection.get("Geometry", {}).get("BoundingBox", {})),
        }
        for detection in answer.get("TextDetections", [])
    ]
    return _within_budget("Text", text, answer.get("TextModelVersion"), MAX_TEXT_BYTES)


def combine(findings: Mapping[str, Any]) -> dict[str, Any]:
    """The branches' findings as the record's attributes: {Labels, Moderation, ModelVersions, ...}.

    A failed branch has {"Unavailable": {Error, Cause}}. Missing moderation or text is recorded with its reason; labels are
    required. Raises ImageRejected when Rekognition refused the image itself, AnalysisIncomplete when labels are missing.
    """
    labels, moderation, text = findings["Labels"], findings["Moderation"], findings.get("Text")
    for branch in (labels, moderation, text or {}):
        if branch.get("Unavailable", {}).get("Error") == ImageRejected.__name__:
            raise ImageRejected(explain(branch["Unavailable"]))
    if "Unavailable" in labels:
        raise AnalysisIncomplete(f"Labels could not be detected: {explain(labels['Unavailable'])}")
    if "Unavailable" in moderation:
        moderation = not_moderated(f"Moderation could not be checked: {explain(moderation['Unavailable'])}")
    record: dict[str, Any] = {
        "Labels": labels["Labels"],
        "Moderation": moderation,
        "ModelVersions": {"Labels": labels["ModelVersion"], "Moderation": moderation["ModelVersion"]},
    }
    if labels.get("Omitted"):
        record["LabelsOmitted"] = labels["Omitted"]
    if text is not None and "Unavailable" in text:
        record["TextUnavailable"] = f"Text could not be read: {explain(text['Unavailable'])}"
    elif text is not None:
        record["Text"] = text["Text"]
        record |= {"TextOmitted": text["Omitted"]} if text.get("Omitted") else {}
        record["ModelVersions"]["Text"] = text["ModelVersion"]
    return record


def _names(label: Mapping[str, Any], field: str) -> list[str]:
    return [entry["Name"] for entry in label.get(field, [])]


def _confidence(entry: Mapping[str, Any]) -> float:
    # Two decimals, rounded down: 79.996 must not match a rule with a minimum of 80.
    return float(Decimal(str(entry.get("Confidence") or 0)).quantize(Decimal("0.01"), ROUND_DOWN))


def _instance(instance: Mapping[str, Any]) -> dict[str, Any]:
    return {"Confidence": _confidence(instance), "BoundingBox": _box(instance.get("BoundingBox", {}))}


def _box(box: Mapping[str, float]) -> dict[str, float]:
    """The box clamped to the image: Rekognition's can begin below 0 and end beyond 1."""
    left, top = _ratio(box.get("Left", 0)), _ratio(box.get("Top", 0))
    right, bottom = _ratio(box.get("Left", 0) + box.get("Width", 0)), _ratio(box.get("Top", 0) + box.get("Height", 0))
    return {"Left": left, "Top": top, "Width": round(right - left, 4), "Height": round(bottom - top, 4)}


def _ratio(value: float) -> float:
    return round(min(max(float(value), 0.0), 1.0), 4)


def _chain(name: str, parent_of: Mapping[str, str]) -> list[str]:
    # Older taxonomies have a child with the same name as its parent (Gambling), so a loop is possible.
    chain: list[str] = []
    parent = parent_of.get(name, "")
    while parent and parent not in (name, *chain):
        chain.append(parent)
        parent = parent_of.get(parent, "")
    return chain


def _within_budget(
    field: str, entries: Sequence[dict[str, Any]], model: str | None, room: int = MAX_FINDING_BYTES
) -> dict[str, Any]:
    """The entries with the highest confidence that fit into a state, and as `Omitted` the number of the others."""
    kept: list[dict[str, Any]] = []
    # Text keeps its reading order. The sort by confidence is stable.
    ordered = entries if field == "Text" else sorted(entries, key=lambda entry: -entry["Confidence"])
    for entry in ordered:
        room -= len(json.dumps(entry)) + 2
        if room < 0:
            break
        kept.append(entry)
    found: dict[str, Any] = {field: kept, "ModelVersion": str(model or NO_MODEL)}
    if len(kept) < len(entries):
        found["Omitted"] = len(entries) - len(kept)
    return found
