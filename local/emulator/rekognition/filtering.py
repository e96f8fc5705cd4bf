"""Applies the filters of a request, in the same way to computed and to recorded answers.

Defaults are the API reference's: MinConfidence 55 for labels, 50 for moderation, 80 for words; at most 1,000 labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]
Request = dict[str, Any]

LABELS_FLOOR = 55
INSTANCE_FLOOR = 50  # of the boxes of a label; the embedded models propose many that are less likely than not
MODERATION_FLOOR = 50
WORD_FLOOR = 80
SIMILARITY_THRESHOLD = 80
MAX_LABELS = 1000
DEFAULT_FACE_FIELDS = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


def apply(operation: str, answer: Answer, request: Request) -> Answer:
    """Returns the part of a full answer that the request asks for. The full answer is not changed."""
    return FILTERS[operation](answer, request)


def _given(request: Request, name: str, default: Any) -> Any:
    value = request.get(name)
    return default if value is None else value


def wanted_features(request: Request) -> list[str]:
    """GENERAL_LABELS and IMAGE_PROPERTIES as requested; labels only by default."""
    return request.get("Features") or ["GENERAL_LABELS"]


def wanted_colours(request: Request, default: int = 10) -> int:
    """The number of dominant colours that is requested."""
    settings = _given(_given(request, "Settings", {}), "ImageProperties", {})
    return int(_given(settings, "MaxDominantColors", default))


def wanted_similarity(request: Request) -> float:
    """Returns CompareFaces' SimilarityThreshold, 0-100."""
    return float(_given(request, "SimilarityThreshold", SIMILARITY_THRESHOLD))


def labels(answer: Answer, request: Request) -> Answer:
    """DetectLabels: features, floor, label and category filters, count of labels and of colours."""
    features = wanted_features(request)
    colours = wanted_colours(request) if "IMAGE_PROPERTIES" in features else 0
    kept: list[Answer] = []
    if "GENERAL_LABELS" in features:
        floor = _given(request, "MinConfidence", LABELS_FLOOR)
        settings = _given(_given(request, "Settings", {}), "GeneralLabels", {})
        kept = [each for each in answer.get("Labels", []) if each["Confidence"] >= floor and _selected(each, settings)]
        kept.sort(key=lambda each: -each["Confidence"])
        kept = [_with_colours(each, colours) for each in kept[: min(_given(request, "MaxLabels", MAX_LABELS), MAX_LABELS)]]
    filtered = {**answer, "Labels": kept}
    properties = filtered.pop("ImageProperties", None)
    if properties and "IMAGE_PROPERTIES" in features:
        filtered["ImageProperties"] = _trim_colours(properties, colours)
    return filtered


def _selected(label: Answer, settings: Answer) -> bool:
    """Exclusion wins; with any inclusion filter, a label must be named or belong to a named category."""
    name, categories = label["Name"], {category["Name"] for category in label.get("Categories", [])}
    if name in _given(settings, "LabelExclusionFilters", []):
        return False
    if categories & set(_given(settings, "LabelCategoryExclusionFilters", [])):
        return False
    names = _given(settings, "LabelInclusionFilters", [])
    groups = _given(settings, "LabelCategoryInclusionFilters", [])
    return (not names and not groups) or name in names or bool(categories & set(groups))


def _with_colours(label: Answer, colours: int) -> Answer:
    instances = [{**each, "DominantColors": each.get("DominantColors", [])[:colours]} for each in label.get("Instances", [])]
    return {**label, "Instances": instances}


def _trim_colours(properties: Answer, colours: int) -> Answer:
    return {
        key: value[:colours]
        if key == "DominantColors"
        else _trim_colours(value, colours)
        if key in ("Foreground", "Background")
        else value
        for key, value in properties.items()
    }


def moderation(answer: Answer, request: Request) -> Answer:
    """DetectModerationLabels: the floor."""
    floor = _given(request, "MinConfidence", MODERATION_FLOOR)
    kept = [each for each in answer.get("ModerationLabels", []) if each["Confidence"] >= floor]
    return {**answer, "ModerationLabels": kept}


def text(answer: Answer, request: Request) -> Answer:
    """DetectText: the word filter, and regions of interest (a detection counts where its middle lies).

    A line without any word left goes too.
    """
    filters = _given(request, "Filters", {})
    words = _given(filters, "WordFilter", {})
    regions = _given(filters, "RegionsOfInterest", [])
    found = answer.get("TextDetections", [])
    kept = [each for each in found if not regions or any(_inside(each, region) for region in regions)]
    kept = [each for each in kept if each.get("Type") != "WORD" or _readable(each, words)]
    had_words = {each.get("ParentId") for each in found if each.get("Type") == "WORD"}
    have_words = {each.get("ParentId") for each in kept if each.get("Type") == "WORD"}
    emptied = had_words - have_words
    return {**answer, "TextDetections": [each for each in kept if each.get("Type") == "WORD" or each.get("Id") not in emptied]}


def _readable(word: Answer, words: Answer) -> bool:
    box = _box(word)
    return bool(
        word["Confidence"] >= _given(words, "MinConfidence", WORD_FLOOR)
        and box.get("Width", 1) >= _given(words, "MinBoundingBoxWidth", 0)
        and box.get("Height", 1) >= _given(words, "MinBoundingBoxHeight", 0)
    )


def _box(detection: Answer) -> Answer:
    box: Answer = _given(_given(detection, "Geometry", {}), "BoundingBox", {})
    return box


def _inside(detection: Answer, region: Answer) -> bool:
    box = _box(detection)
    x = box.get("Left", 0) + box.get("Width", 0) / 2
    y = box.get("Top", 0) + box.get("Height", 0) / 2
    area = region.get("BoundingBox")
    if area:
        left, top = area.get("Left", 0), area.get("Top", 0)
        return bool(left <= x <= left + area.get("Width", 0) and top <= y <= top + area.get("Height", 0))
    corners = [(point["X"], point["Y"]) for point in region.get("Polygon", [])]
    crossings = 0
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            crossings += 1
    return crossings % 2 == 1


def faces(answer: Answer, request: Request) -> Answer:
    """DetectFaces: the default attributes, plus those named (AGE_RANGE is the field AgeRange)."""
    asked = set(request.get("Attributes") or ["DEFAULT"])
    if "ALL" in asked:
        return answer
    fields = DEFAULT_FACE_FIELDS | {name.title().replace("_", "") for name in asked}
    details = [{key: value for key, value in face.items() if key in fields} for face in answer.get("FaceDetails", [])]
    return {**answer, "FaceDetails": details}


FILTERS: dict[str, Callable[[Answer, Request], Answer]] = {
    "DetectLabels": labels,
    "DetectModerationLabels": moderation,
    "DetectText": text,
    "DetectFaces": faces,
}
