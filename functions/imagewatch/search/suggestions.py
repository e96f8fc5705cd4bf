"""Suggests terms for those of a query that nothing has: "persn" -> person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from imagewatch.search.index import typed
from imagewatch.search.query import FIELDS, Query, Term
from imagewatch.search.render import render
from imagewatch.text import contains

MAX_UNKNOWN = 5
"""Terms of one query that get suggestions."""
_MAX_NAMES = 4_000
"""Names of a field that are compared: more than the labels that Rekognition knows."""
_MAX_SUGGESTIONS = 3
_MAX_CHARACTERS = 60  # of a name that is compared
_CERTAIN = ("status",)  # a status without images is no mistake


class CountedName(Protocol):
    """A term with the number of images that have it."""

    @property
    def term(self) -> str: ...
    @property
    def images(self) -> int: ...


@dataclass(frozen=True)
class Unknown:
    """A term of the query that no image has."""

    term: str
    """As a query writes it: "source:gate-9"."""
    suggestions: tuple[str, ...]
    """Similar terms that some image has, as a query writes them."""


def unknown_terms(
    query: Query,
    counts: Mapping[str, int],
    count: Callable[[Sequence[str]], Mapping[str, int]],
    names: Callable[[str, int], Sequence[CountedName]],
) -> tuple[Unknown, ...]:
    """The query's terms that nothing has. `counts` are those of its terms; `count` and `names` read those of others."""
    missing = [term for term in query.terms() if not counts.get(typed(term.field, term.value)) and term.field not in _CERTAIN]
    distinct = list(dict.fromkeys(Term(term.value, term.field) for term in missing))[:MAX_UNKNOWN]
    if not distinct:
        return ()
    elsewhere = count([typed(field, term.value) for term in distinct for field in FIELDS])
    known = {prefix: names(prefix, _MAX_NAMES) for prefix in dict.fromkeys(map(_prefix, distinct))}
    return tuple(Unknown(_written(term), _suggestions(term, elsewhere, known[_prefix(term)])) for term in distinct)


def _prefix(term: Term) -> str:
    """What the names that are compared begin with. There are too many words of texts to compare them all."""
    return f"{term.field}:{term.value[:1]}" if term.field == "text" else f"{term.field}:"


def _suggestions(term: Term, elsewhere: Mapping[str, int], known: Sequence[CountedName]) -> tuple[str, ...]:
    import difflib  # only unknown terms need it

    found = [Term(term.value, field) for field in FIELDS if elsewhere.get(typed(field, term.value))]
    by_value = {one.term.partition(":")[2]: one.images for one in known if one.images}
    words = tuple(term.value.split())
    containing = [value for value in by_value if contains(tuple(value.split()), words)]
    containing.sort(key=lambda value: -by_value[value])
    similar = difflib.get_close_matches(term.value[:_MAX_CHARACTERS], by_value, _MAX_SUGGESTIONS, cutoff=0.7)
    found += [Term(value, term.field) for value in dict.fromkeys([*similar, *containing])]
    return tuple(map(_written, found[:_MAX_SUGGESTIONS]))


def _written(term: Term) -> str:
    return render(Query(term))
