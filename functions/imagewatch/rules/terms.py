"""What an image shows, listed by every name it answers to: the side of a match that the image brings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from imagewatch.rules.model import Term
from imagewatch.text import Words, contains, words_of

# How a finding came to match, the closest kin first; it decides which of several matching terms is named.
KINDS = ("name", "alias", "parent", "category", "moderation", "text")
_TEXT = KINDS.index("text")
_KINDS_OF: dict[str, frozenset[int]] = {
    "any": frozenset(range(5)),
    "label": frozenset((0, 1)),
    "parent": frozenset((2,)),
    "category": frozenset((3,)),
    "moderation": frozenset((4,)),
    "text": frozenset((_TEXT,)),
}


def kinds_of(within: str) -> frozenset[int]:
    """The places in KINDS that a term's `In` stands for."""
    return _KINDS_OF[within]


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """One label, moderation label, line or word of text that was found."""

    label: str
    confidence: float
    instances: Sequence[Mapping[str, Any]]
    ancestors: frozenset[str]
    names: tuple[tuple[int, str], ...]
    """(place in KINDS, name) pairs."""
    text: bool = False
    word: bool = False
    """A word of text: its line, if that matches too, speaks for it."""


class TermMatch(NamedTuple):
    """A detection that is what a term asks for."""

    detection: Detection
    kind: int
    confidence: float
    number: int
    """How many of them."""
    box: Mapping[str, float] | None


def detections_in(findings: Mapping[str, Any]) -> list[Detection]:
    """Labels, moderation labels and, where it was looked for, text. `findings` has them as the image's record does."""
    return [
        *map(_label, findings["Labels"]),
        *map(_moderation_label, findings["Moderation"]["Labels"]),
        *map(_text, findings.get("Text") or ()),
    ]


def seen(term: Term, kind: int, detection: Detection) -> TermMatch | None:
    """The detection as the term sees it, or None when it isn't as sure, as large or as often there as the term asks.

    With MinInstances or MinArea the instances must be that sure too, and the confidence is the one of the last instance that
    is needed: it is the highest MinConfidence at which the term would still have matched.
    """
    if detection.confidence < term.min_confidence:
        return None
    boxes = detection.instances
    if not term.min_instances and not term.min_area:
        best = max(boxes, key=_confidence_in(detection)) if boxes else {}
        return TermMatch(detection, kind, detection.confidence, len(boxes) or 1, best.get("BoundingBox"))
    wanted = term.min_instances or 1
    if not boxes and wanted == 1 and not term.min_area:  # a scene or a concept has no boxes, and is there once
        return TermMatch(detection, kind, detection.confidence, 1, None)
    confidence_of = _confidence_in(detection)
    fit = [one for one in boxes if confidence_of(one) >= term.min_confidence and _area(one) + 1e-9 >= term.min_area]
    if len(fit) < wanted:
        return None
    fit.sort(key=confidence_of, reverse=True)
    sure = min(detection.confidence, confidence_of(fit[wanted - 1]))
    return TermMatch(detection, kind, sure, len(fit), fit[0].get("BoundingBox"))


def most_specific(found: Collection[Detection]) -> Collection[Detection]:
    """One object comes with all its ancestors (a Car is a Vehicle too), a word with its line: only the most specific stays."""
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
    """Every run of up to `longest` words in the name: what a term could be that whole words of the name match."""
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
    # A child that the taxonomy adds tomorrow is judged by its parents, which stand in its chain.
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
