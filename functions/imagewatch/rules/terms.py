"""Detections and terms: lists what was found in an image by all its names, and decides which detections fulfil a term."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from imagewatch.rules.model import Term
from imagewatch.text import Words, contains, words_of

# How a detection fulfils a term, the closest relation first. The closest of several is named in an alert.
KINDS = ("name", "alias", "parent", "category", "moderation", "text", "image")
_TEXT = KINDS.index("text")
_KINDS_OF: dict[str, frozenset[int]] = {
    "any": frozenset(range(5)),
    "label": frozenset((0, 1)),
    "parent": frozenset((2,)),
    "category": frozenset((3,)),
    "moderation": frozenset((4,)),
    "text": frozenset((_TEXT,)),
}
INSTANCE_FLOOR = 50.0
"""Instances of lower confidence are not counted: Rekognition returns boxes of 5 % beside those of 99 %."""


def kinds_of(within: str) -> frozenset[int]:
    """The indexes in KINDS that a term's `In` permits."""
    return _KINDS_OF[within]


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """One label, moderation label, line or word of text that was found."""

    label: str
    confidence: float
    instances: Sequence[Mapping[str, Any]]
    ancestors: frozenset[str]
    names: tuple[tuple[int, str], ...]
    """(index in KINDS, name) pairs."""
    text: bool = False
    word: bool = False
    """A word of text. When its line matches too, only the line is named."""


class TermMatch(NamedTuple):
    """A detection that fulfils a term."""

    detection: Detection
    kind: int
    confidence: float
    instance_count: int
    """How many instances fulfil the term."""
    box: Mapping[str, float] | None


def detections_in(findings: Mapping[str, Any]) -> list[Detection]:
    """Labels, moderation labels and, if it was read, text. `findings` has them as the image's record does."""
    return [
        *map(_label, findings["Labels"]),
        *map(_moderation_label, findings["Moderation"]["Labels"]),
        *map(_text, findings.get("Text") or ()),
    ]


def match_term(term: Term, kind: int, detection: Detection) -> TermMatch | None:
    """The detection as a match of the term; None when its confidence, area or number of instances is too low.

    With MinInstances or MinArea, the instances need the term's confidence too. The confidence of the match is then that of the
    last instance needed: the highest MinConfidence at which the term would still have matched.
    """
    if detection.confidence < term.min_confidence:
        return None
    boxes, confidence_of = detection.instances, _confidence_in(detection)
    if not term.min_instances and not term.min_area:
        best = max(boxes, key=confidence_of) if boxes else {}
        count = sum(confidence_of(one) >= INSTANCE_FLOOR for one in boxes)
        return TermMatch(detection, kind, detection.confidence, count or 1, best.get("BoundingBox"))
    needed = term.min_instances or 1
    if not boxes and needed == 1 and not term.min_area:  # a scene or a concept has no boxes and counts as one
        return TermMatch(detection, kind, detection.confidence, 1, None)
    floor = max(term.min_confidence, INSTANCE_FLOOR)
    fit = [one for one in boxes if confidence_of(one) >= floor and _area(one) + 1e-9 >= term.min_area]
    if len(fit) < needed:
        return None
    fit.sort(key=confidence_of, reverse=True)
    confidence = min(detection.confidence, confidence_of(fit[needed - 1]))
    return TermMatch(detection, kind, confidence, len(fit), fit[0].get("BoundingBox"))


def most_specific(found: Collection[Detection]) -> Collection[Detection]:
    """Without the ancestors of other detections (a Car is a Vehicle too) and without words whose line is among them."""
    if len(found) < 2:
        return found
    ancestors = {ancestor for detection in found for ancestor in detection.ancestors if ancestor != detection.label}
    lines = [words_of(detection.label) for detection in found if detection.text and not detection.word]
    return {
        detection for detection in found if not (_in_a_line(detection, lines) if detection.text else detection.label in ancestors)
    }


def _in_a_line(detection: Detection, lines: Iterable[Words]) -> bool:
    return detection.word and any(contains(line, words_of(detection.label)) for line in lines)


@functools.lru_cache(maxsize=8192)
def phrases(name: str, longest: int) -> tuple[Words, ...]:
    """Every sequence of up to `longest` words in the name: all terms that whole words of the name can match."""
    words = words_of(name)
    runs = ((start, end) for start in range(len(words)) for end in range(start + 1, min(len(words), start + longest) + 1))
    return tuple(dict.fromkeys(words[start:end] for start, end in runs))


def _label(label: Mapping[str, Any]) -> Detection:
    parents = label["Parents"]
    names = (
        (0, label["Name"]),
        *((1, alias) for alias in label["Aliases"]),
        *((2, parent) for parent in parents),
        *((3, category) for category in label["Categories"]),
    )
    return Detection(label["Name"], label["Confidence"], label["Instances"], frozenset(parents), names)


def _moderation_label(label: Mapping[str, Any]) -> Detection:
    # The chain of parents decides about a child that the taxonomy adds later.
    names = tuple((4, name) for name in (label["Name"], *label["Parents"]))
    return Detection(label["Name"], label["Confidence"], (), frozenset(label["Parents"]), names)


def _text(entry: Mapping[str, Any]) -> Detection:
    text = entry["Text"]
    return Detection(text, entry["Confidence"], (entry,), frozenset(), ((_TEXT, text),), True, entry["Type"] == "WORD")


def _confidence_in(detection: Detection) -> Callable[[Mapping[str, Any]], float]:
    return lambda instance: instance.get("Confidence", detection.confidence)


def _area(instance: Mapping[str, Any]) -> float:
    box = instance.get("BoundingBox") or {}
    return float(box.get("Width", 0)) * float(box.get("Height", 0))
