"""Searches the images of a viewer for the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagewatch.api.viewer import Viewer
from imagewatch.aws import cursor_secret
from imagewatch.aws.tables.search_library import SearchLibrary
from imagewatch.errors import InvalidQuery
from imagewatch.search import find as search
from imagewatch.search.counts import DayCount, TermCount
from imagewatch.search.find import Results, Search
from imagewatch.search.grammar import parse
from imagewatch.search.index import EVERYONE
from imagewatch.search.suggestions import Unknown

_FOR_OPERATORS = "rule: is for operators only, because the watchlist is. Remove the term."
_RULE = "rule"
FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"


def find(viewer: Viewer, asked: Search, sort: str = "") -> Results:
    """A page of images. `sort` is the order where the text has no `sort:`.

    Raises InvalidQuery with the place of a mistake, also for a term that only operators may use.
    """
    query = parse(asked.text)
    if not viewer.is_operator and any(term.field == _RULE for term in query.terms()):
        raise InvalidQuery(_FOR_OPERATORS, asked.text.casefold().find(f"{_RULE}:"))
    ordered = replace(asked, text=f"{asked.text} sort:{sort}".strip() if sort else asked.text)
    results = search.find(library_of(viewer), ordered, cursor_secret.read)
    return results if viewer.is_operator else replace(results, unknown=tuple(_without_rules(results)))


def labels(viewer: Viewer, prefix: str, limit: int) -> Sequence[TermCount]:
    """The labels of the viewer's images that begin with a prefix, with the number of images."""
    return search.vocabulary(library_of(viewer), prefix, limit=limit)


def days(viewer: Viewer, first: str, last: str) -> Sequence[DayCount]:
    """The days with images of the viewer between two ISO dates ("" for open), the newest first."""
    return search.days(library_of(viewer), first or FIRST_DAY, last or LAST_DAY)


def library_of(viewer: Viewer) -> SearchLibrary:
    """What the viewer can search: operators all images, everyone else their own."""
    return SearchLibrary(EVERYONE if viewer.is_operator else viewer.sub)


def _without_rules(results: Results) -> list[Unknown]:
    return [
        replace(unknown, suggestions=tuple(one for one in unknown.suggestions if not one.startswith(f"{_RULE}:")))
        for unknown in results.unknown
    ]
