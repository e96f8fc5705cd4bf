"""What an image's record has of a query: the terms that made it match, and whether it still does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch.search.evaluation import matches
from imagewatch.search.index import Row, named_terms, pack, terms_of, typed
from imagewatch.search.query import And, Node, Or, Term


@dataclass(frozen=True)
class FoundTerm:
    """A term of a query that an image has."""

    field: str
    name: str
    """As it was found: "Traffic Light"."""
    confidence: float | None
    """0-100; None for what is certain (a source, a rule, a status)."""


def found_terms(node: Node | None, record: Mapping[str, Any], min_confidence: float) -> Sequence[FoundTerm]:
    """The terms of a query that the record has with the wanted confidence (0-100), the most confident first."""
    wanted: dict[str, float] = {}
    for term in _positive(node):
        name, least = typed(term.field, term.value), min_confidence if term.min_confidence is None else term.min_confidence
        wanted[name] = min(least, wanted.get(name, least))
    found: dict[str, FoundTerm] = {}
    for field, value, confidence in named_terms(record) if wanted else ():
        name = typed(field, value)
        known = found.get(name)
        if name in wanted and (confidence is None or confidence >= wanted[name]) and not _at_least(known, confidence):
            found[name] = FoundTerm(field, value, confidence)
    return sorted(found.values(), key=lambda term: -1.0 if term.confidence is None else 100 - term.confidence)


def still_matches(node: Node | None, row: Row, record: Mapping[str, Any], min_confidence: float) -> bool:
    """Whether the record matches the query for which its index row was read.

    The image can have been replaced or analysed again since, and the rows of its earlier analysis can remain for a moment.
    """
    taken_at = record.get("TakenAt") or record.get("UploadedAt") or row.taken_at
    if taken_at != row.taken_at:
        return False
    return matches(node, replace(row, terms=pack(terms_of(record))), min_confidence)


def _at_least(known: FoundTerm | None, confidence: float | None) -> bool:
    return known is not None and (known.confidence or 100.0) >= (confidence or 100.0)


def _positive(node: Node | None) -> Iterator[Term]:
    """The terms of a query that are not negated."""
    if isinstance(node, Term):
        yield node
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from _positive(part)
