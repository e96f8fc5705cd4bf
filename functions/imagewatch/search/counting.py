"""How counts follow changed images: what is counted for an image, and the plan of a fold.

A fold compares what its images have now with what was counted for them before, and changes the counters by the difference. Its
plan is written before it is applied. So a repeated fold changes nothing: counters remember the number of the last fold.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewatch.search.days import local_day
from imagewatch.search.index import EVERYTHING, named_terms, terms_of, typed, viewers
from imagewatch.search.postings import derived_terms


@dataclass(frozen=True)
class Counted:
    """The terms for which an image is counted, for each viewer who may see it."""

    owner: str = ""
    terms: frozenset[str] = frozenset()

    @property
    def keys(self) -> set[tuple[str, str]]:
        """(viewer, term) of each counter that includes the image."""
        return {(viewer, term) for viewer in viewers(self.owner) for term in self.terms}


@dataclass
class Change:
    """How a fold changes one counter."""

    images: int = 0
    name: str = ""
    """The term's name as it was found; empty where it is unknown and stays as it is."""
    through: set[str] = field(default_factory=set)
    """Labels through which the term is found."""


@dataclass(frozen=True)
class Plan:
    """One fold."""

    changes: Mapping[tuple[str, str], Change]
    """By (viewer, term)."""
    counted: Mapping[str, Counted]
    """What is counted for the changed images after the fold, by image id."""
    tokens: Mapping[str, str]
    """The marks that the fold answers: token by image id."""

    def pack(self) -> bytes:
        changes = [[*key, c.images, c.name, sorted(c.through)] for key, c in self.changes.items()]
        counted = [[image_id, c.owner, sorted(c.terms)] for image_id, c in self.counted.items()]
        return _compressed({"changes": changes, "counted": counted, "tokens": dict(self.tokens)})

    @classmethod
    def unpack(cls, packed: bytes) -> Plan:
        plain = json.loads(zlib.decompress(packed))
        return cls(
            {(viewer, term): Change(images, name, set(through)) for viewer, term, images, name, through in plain["changes"]},
            {image_id: Counted(owner, frozenset(terms)) for image_id, owner, terms in plain["counted"]},
            plain["tokens"],
        )


NOTHING = Counted()


def counted_for(record: Mapping[str, Any] | None, owner: str, taken_at: str, minute_of_day: int) -> Counted:
    """What is counted for a record; nothing without one."""
    if record is None:
        return NOTHING
    terms = {term.name for term in terms_of(record)}
    return Counted(owner, frozenset({*terms, f"day:{local_day(taken_at, minute_of_day)}"}))


def plan(
    before: Mapping[str, Counted],
    after: Mapping[str, Counted],
    records: Mapping[str, Mapping[str, Any]],
    tokens: Mapping[str, str],
) -> Plan:
    """The fold that brings the counters from `before` to `after`, both by image id. `records` name the terms."""
    changes: dict[tuple[str, str], Change] = {}
    changed = {image_id: counted for image_id, counted in after.items() if counted != before.get(image_id, NOTHING)}
    for image_id, counted in changed.items():
        old, new = before.get(image_id, NOTHING).keys, counted.keys
        for key in old - new:
            changes.setdefault(key, Change()).images -= 1
        for key in new - old:
            changes.setdefault(key, Change()).images += 1
        if new:
            _describe(changes, counted, records[image_id], before.get(image_id, NOTHING).terms)
    needed = {key: change for key, change in changes.items() if change.images or change.through}
    return Plan(needed, changed, tokens)


def pack_terms(terms: Iterable[str]) -> bytes:
    """Terms as they are stored for an image: compressed, about 400 bytes for 40."""
    return _compressed(sorted(terms))


def unpack_terms(packed: bytes) -> frozenset[str]:
    """What `pack_terms` has packed."""
    return frozenset(json.loads(zlib.decompress(packed)))


def _describe(
    changes: dict[tuple[str, str], Change], counted: Counted, record: Mapping[str, Any], before: frozenset[str]
) -> None:
    names = {typed(term_field, value): value for term_field, value, _ in named_terms(record)}
    derived, added = derived_terms(record), counted.terms - before
    for viewer, term in counted.keys:
        change = changes.setdefault((viewer, term), Change())
        change.name = names.get(term, term.partition(":")[2] or EVERYTHING)
        change.through |= derived.get(term, set()) & added


def _compressed(plain: Any) -> bytes:
    return zlib.compress(json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode(), 9)
