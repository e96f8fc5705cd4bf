"""Which index rows an image has, and the keys under which they are stored.

Not every term has rows. A label's aliases, categories and missing parents are found through the rows of the label itself: the
counts name the labels of each. `status:analyzed` is found through the rows of all images, because it is true of nearly all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewatch.search.index import EVERYONE, Row, digest, pack, terms_of, typed, unpack, viewers
from imagewatch.search.query import LABEL

TIME, CONFIDENCE = "time", "confidence"
Key = tuple[str, str]
"""(Posting, Position): the key of one row."""

_WITH_CONFIDENCE_ROWS = (LABEL, "moderation")
_ANALYZED = typed("status", "ANALYZED")
_LONGEST_NAME = 200  # bytes of a term in a key: DynamoDB takes 1,024 in a sort key
_BEHIND = "~"  # sorts behind every character of a position


@dataclass(frozen=True)
class IndexedRow:
    """A row with its key, as it is written."""

    key: Key
    minute_of_day: int
    terms: bytes


def position(taken_at: str, image_id: str, lease_id: str) -> str:
    """Place of an image's rows in the order of time. The lease keeps an older analysis from deleting a newer one's rows."""
    return f"{taken_at}#{image_id}#{lease_id}"


def listed_rows(record: Mapping[str, Any]) -> list[str]:
    """The terms of a record that have rows, as its artifacts list them.

    A term that has rows in the order of confidence too is listed with its confidence in hundredths: "label:person@9971". Only
    EVERYONE has these: another viewer has few enough rows to sort.
    """
    derived = derived_terms(record)
    found = [term for term in terms_of(record) if term.name not in derived and term.name != _ANALYZED]
    return [
        term.name
        if term.confidence is None or not has_confidence_rows(term.name)
        else f"{term.name}@{_hundredths(term.confidence)}"
        for term in found
    ]


def derived_terms(record: Mapping[str, Any]) -> dict[str, set[str]]:
    """The aliases, parents and categories of a record that are no label of it, with the labels through which they are found."""
    labels = {typed(LABEL, label["Name"]) for label in record.get("Labels", ())}
    found: dict[str, set[str]] = {}
    for label in record.get("Labels", ()):
        names = [typed(LABEL, name) for name in (*label["Aliases"], *label["Parents"])]
        for name in (*names, *(typed("category", category) for category in label["Categories"])):
            if name not in labels:
                found.setdefault(name, set()).add(typed(LABEL, label["Name"]))
    return found


def has_confidence_rows(term: str) -> bool:
    """Whether EVERYONE's rows of a term exist in the order of confidence."""
    return term.partition(":")[0] in _WITH_CONFIDENCE_ROWS


def has_rows(viewer: str, term: str) -> bool:
    """Whether a viewer's images are listed under a term. If not, its images are found among all of the viewer's."""
    # All images of an owner have one source.
    return term != _ANALYZED and (viewer == EVERYONE or not term.startswith("source:"))


def row_keys(listed: Sequence[str], at: str, owner: str) -> dict[Key, None]:
    """The keys of the rows of listed terms at a position, in a fixed order."""
    return dict.fromkeys(key for entry in listed for key in _keys(entry, at, owner))


def indexed_rows(record: Mapping[str, Any], at: str, minute_of_day: int, owner: str) -> list[IndexedRow]:
    """The rows of a record at a position."""
    packed = pack(terms_of(record))
    return [IndexedRow(key, minute_of_day, packed) for key in row_keys(listed_rows(record), at, owner)]


def posting(viewer: str, order: str, term: str) -> str:
    """Partition key of a term's rows for one viewer, in one order."""
    return f"{viewer}|{order}|{key_name(term)}"


def counts_posting(viewer: str) -> str:
    """Partition key of a viewer's counts, which are in the order of the terms."""
    return f"{viewer}|counts"


def key_name(term: str) -> str:
    """A term in a key: shortened, with a digest, where it is too long."""
    encoded = term.encode()
    if len(encoded) <= _LONGEST_NAME:
        return term
    return f"{encoded[:_LONGEST_NAME].decode(errors='ignore')}#{hashlib.sha256(encoded).hexdigest()[:32]}"


def row_at(key: Key, minute_of_day: int, terms: bytes, term: str) -> Row:
    """A stored row as the planner reads it, with its confidence in `term`."""
    taken_at, image_id, _ = key[1].rsplit("#", 2)
    return Row(image_id, taken_at.rpartition("#")[2], minute_of_day, unpack(terms).get(digest(term), 0.0), terms)


def bounds(order: str, after: tuple[Any, ...] | None, stop: str) -> tuple[str, str]:
    """The first and the last position between which a read of a posting lies; no row has exactly one of them as its key."""
    if order == "oldest":
        return _behind(after) if after else "", stop or _BEHIND
    lowest = stop if order == "newest" else ""
    return lowest, _before(after) if after else _BEHIND


def _keys(entry: str, at: str, owner: str) -> Iterator[Key]:
    name, _, hundredths = entry.partition("@")
    for viewer in viewers(owner):
        if has_rows(viewer, name):
            yield posting(viewer, TIME, name), at
    if hundredths:
        yield posting(EVERYONE, CONFIDENCE, name), f"{int(hundredths):05}#{at}"


def _hundredths(confidence: float) -> int:
    return int(confidence * 100 + 1e-6)


def _before(place: tuple[Any, ...]) -> str:
    """A position before the rows at a place, and behind those before it."""
    *confidence, taken_at, image_id = place
    start = f"{_hundredths(confidence[0]):05}#" if confidence else ""
    return f"{start}{taken_at}#{image_id}"


def _behind(place: tuple[Any, ...]) -> str:
    taken_at, image_id = place
    return f"{taken_at}#{image_id}{_BEHIND}" if image_id else f"{taken_at}#"
