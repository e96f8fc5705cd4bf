"""The index of search: which terms an image has, and the rows by which it is found.

A posting is the list of rows of one term for one viewer, in the order of time or of confidence. Each row covers its image: it
carries every term of the image in a compact form, so that a query reads one posting and decides the rest without reading records.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagewatch.search.query import LABEL
from imagewatch.text import comparable

EVERYTHING = "all"
"""The term of every image, for queries without a term that must be there."""
EVERYONE = "operators"
"""The viewer who sees all images. Every other viewer is an owner and sees their own."""
MAX_TERMS = 400
"""Terms of one image that are indexed: about 3 KB in each of its rows."""

_PACKED = struct.Struct(">6sH")
_NO_CONFIDENCE = 0xFFFF
_DIGEST_BYTES = 6  # of 2^48 values: two of an image's terms never meet in practice


@dataclass(frozen=True)
class IndexedTerm:
    """One typed term of an image: "label:person", "source:gate 2"."""

    name: str
    confidence: float | None
    """0-100; None for what is certain (a source, a rule, a status)."""


@dataclass(frozen=True)
class Row:
    """One entry of a posting."""

    image_id: str
    taken_at: str
    """ISO 8601, UTC, milliseconds."""
    minute_of_day: int
    """Where the image was taken, or in UTC where no offset is known."""
    confidence: float
    """0-100: that of the posting's own term; 100 for what is certain."""
    terms: bytes
    """Every term of the image, as `pack` writes them."""

    @property
    def by_time(self) -> tuple[str, str]:
        """Place in a posting in the order of time. It is unique in the posting."""
        return self.taken_at, self.image_id

    @property
    def by_confidence(self) -> tuple[float, str, str]:
        """Place in a posting in the order of confidence."""
        return self.confidence, self.taken_at, self.image_id


def terms_of(record: Mapping[str, Any]) -> list[IndexedTerm]:
    """The terms of an image's record, each once with its highest confidence, the most confident first.

    `record` has Status and Source, and Labels, Moderation, Text and MatchedRules where they are known.
    """
    found: dict[str, float | None] = {EVERYTHING: None}
    for field, value, confidence in named_terms(record):
        name = typed(field, value)
        if name in found:
            known = found[name]
            confidence = max(known, confidence) if known is not None and confidence is not None else None
        found[name] = confidence
    terms = [IndexedTerm(name, confidence) for name, confidence in found.items()]
    # What is certain comes first, so that a limit never drops it.
    terms.sort(key=lambda term: -(101.0 if term.confidence is None else term.confidence))
    return terms[:MAX_TERMS]


def typed(field: str, value: str) -> str:
    """The name of a term: its field, and its value in the form in which searches compare."""
    return f"{field}:{comparable(value)}"


def viewers(owner: str) -> tuple[str, ...]:
    """Who may see an image: everyone who sees all, and its owner where it has one."""
    return (EVERYONE, owner) if owner else (EVERYONE,)


def rows(image_id: str, record: Mapping[str, Any], taken_at: str, minute_of_day: int) -> dict[str, Row]:
    """The image's row in each term's posting."""
    terms = terms_of(record)
    packed = pack(terms)
    return {
        term.name: Row(image_id, taken_at, minute_of_day, 100.0 if term.confidence is None else term.confidence, packed)
        for term in terms
    }


def pack(terms: Sequence[IndexedTerm]) -> bytes:
    """Eight bytes for each term: a digest of its name, and its confidence in hundredths, rounded down."""
    return b"".join(
        _PACKED.pack(digest(term.name), _NO_CONFIDENCE if term.confidence is None else int(term.confidence * 100 + 1e-6))
        for term in terms
    )


def unpack(packed: bytes) -> dict[bytes, float]:
    """Confidence by the digest of the term's name; 100 for what is certain."""
    return {name: 100.0 if value == _NO_CONFIDENCE else value / 100 for name, value in _PACKED.iter_unpack(packed)}


def digest(name: str) -> bytes:
    """The name of a term in six bytes."""
    return hashlib.blake2b(name.encode(), digest_size=_DIGEST_BYTES).digest()


def minute_of(taken: datetime) -> int:
    """The minute of the day that a clock at the place shows, 0 to 1439."""
    return taken.hour * 60 + taken.minute


def named_terms(record: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    """(field, name as it was found, confidence or None) of every term of an image's record. Names can come several times."""
    yield "status", record["Status"], None
    yield "source", record["Source"], None
    for label in record.get("Labels", ()):
        for name in (label["Name"], *label["Aliases"], *label["Parents"]):
            yield LABEL, name, label["Confidence"]
        for category in label["Categories"]:
            yield "category", category, label["Confidence"]
    for label in record.get("Moderation", {}).get("Labels", ()):
        for name in (label["Name"], *label["Parents"]):
            yield "moderation", name, label["Confidence"]
    for entry in record.get("Text", ()):
        yield "text", entry["Text"], entry["Confidence"]
    for rule in record.get("MatchedRules", ()):
        yield "rule", rule["RuleId"], None
        yield "rule", rule["Name"], None
