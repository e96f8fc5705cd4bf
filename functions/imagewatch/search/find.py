"""Finds images: the search itself, the same for the command line, the API and the pages.

It reads through a `Library`, which belongs to one viewer: nothing that another viewer may not see can reach a result, a count, a
suggestion or a cursor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from imagewatch.search import cursor
from imagewatch.search.counts import DayCount, TermCount
from imagewatch.search.found import FoundTerm, found_terms, still_matches
from imagewatch.search.grammar import parse
from imagewatch.search.index import EVERYTHING, Row, typed
from imagewatch.search.planner import ALWAYS, MAX_ROWS, Place, Plan, Postings, Window, plan
from imagewatch.search.query import Query, Term
from imagewatch.search.ranking import search
from imagewatch.search.render import render
from imagewatch.search.suggestions import Unknown, unknown_terms
from imagewatch.text import comparable

MAX_SIZE = 500
"""Images on one page."""


class Library(Postings, Protocol):
    """What one viewer can search."""

    @property
    def viewer(self) -> str:
        """EVERYONE, or an owner's id. Cursors are bound to it."""
        ...

    def counts(self, terms: Sequence[str]) -> Mapping[str, int]:
        """The number of the viewer's images with each of these terms. A term without images may be missing."""
        ...

    def vocabulary(self, prefix: str, limit: int) -> Sequence[TermCount]:
        """Up to `limit` terms of the viewer's images that begin with the prefix ("label:tra"), in alphabetical order."""
        ...

    def days(self, first: str, last: str) -> Sequence[DayCount]:
        """The days with images of the viewer between two ISO dates, both included, the newest first."""
        ...

    def records(self, image_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The stored records of the images that still exist, by id."""
        ...


@dataclass(frozen=True)
class Search:
    """What is searched."""

    text: str
    """A query in the grammar of `imagewatch.search.grammar`."""
    min_confidence: float = 0.0
    """0-100, for the terms without a confidence."""
    size: int = 50
    """Images on the page, 1 to MAX_SIZE."""
    cursor: str = ""
    """The cursor of the page before, to go on there. It has the window of the first page; the one given here is ignored."""
    window: Window = ALWAYS


@dataclass(frozen=True)
class Match:
    """One image that matches."""

    image_id: str
    taken_at: str
    """ISO 8601, UTC."""
    record: Mapping[str, Any]
    """As it is stored."""
    found: Sequence[FoundTerm]
    """The terms of the query that the image has, the most confident first."""


@dataclass(frozen=True)
class Results:
    """One page of a search."""

    query: str
    """The query in its canonical form."""
    matches: Sequence[Match]
    cursor: str | None
    """Where the next page goes on. None at the end of the results, and only there."""
    cut_short: bool
    """The page ended at the limit of rows before it was full. The next page goes on from there."""
    reached: str
    """How far the page looked in the order of time: ISO 8601, UTC. Empty at the end of the results."""
    reached_confidence: float | None
    """How far it looked in the order of confidence; None in an order of time."""
    hidden: int
    """Images in the part of the library that this page looked at which only `min_confidence` hides."""
    hidden_exact: bool
    """False where there may be more of them, although no match follows."""
    unknown: Sequence[Unknown]
    """Terms of the query that none of the viewer's images has, with similar ones that some have. Only on the first page."""
    rows_read: int


def find(library: Library, asked: Search, secret: Callable[[], bytes]) -> Results:
    """A page of results. `secret` returns the key that signs cursors; it is called only when there is a cursor to read or write.

    Raises InvalidQuery with the place of a mistake, InvalidCursor for a cursor of another search, and ValueError for a size or a
    confidence beyond its limits.
    """
    if not 1 <= asked.size <= MAX_SIZE or not 0 <= asked.min_confidence <= 100:
        raise ValueError(f"A page has 1 to {MAX_SIZE} images, and a confidence is 0 to 100.")
    query = parse(asked.text)
    place, window = _resume(library, asked, query, secret) if asked.cursor else (None, asked.window)
    counts = library.counts([EVERYTHING, *_names(query)])
    planned = plan(query, lambda term: counts.get(term, 0), window)
    page = _Page(planned, library, asked, place)
    page.read()
    following = None
    if page.place is not None:
        held = (window.since, window.until, *page.place)
        following = cursor.write(held, query, library.viewer, asked.min_confidence, secret())
    return Results(
        query=render(query),
        matches=page.matches,
        cursor=following,
        cut_short=page.place is not None and len(page.matches) < asked.size,
        reached=page.reached,
        reached_confidence=page.reached_confidence,
        hidden=page.hidden,
        hidden_exact=page.hidden_exact,
        unknown=() if asked.cursor else _unknown(library, query, page.counted(counts)),
        rows_read=page.rows_read,
    )


def vocabulary(library: Library, prefix: str = "", field: str = "label", limit: int = 1_000) -> Sequence[TermCount]:
    """The names in a field that begin with a prefix, with the number of the viewer's images, in alphabetical order."""
    return library.vocabulary(f"{field}:{comparable(prefix)}", limit)


def days(library: Library, first: str, last: str) -> Sequence[DayCount]:
    """The days with images of the viewer between two ISO dates, both included, the newest first."""
    return library.days(first, last)


class _Page:
    """Reads rows and their records until a page is full. Rows of images that no longer exist are replaced by the next ones."""

    def __init__(self, planned: Plan, library: Library, asked: Search, place: Place | None) -> None:
        self._plan, self._library, self._asked = planned, library, asked
        self.place = place
        self.matches: list[Match] = []
        self.hidden = self.rows_read = 0
        self.hidden_exact, self.reached = True, ""
        self.reached_confidence: float | None = None

    def read(self) -> None:
        """Reads at most MAX_ROWS rows."""
        while True:
            size, rows = self._asked.size - len(self.matches), MAX_ROWS - self.rows_read
            page = search(self._plan, self._library, size, self._asked.min_confidence, self.place, max_rows=rows)
            self.place, self.hidden_exact = page.place, page.hidden_exact
            self.reached, self.reached_confidence = page.reached, page.reached_confidence
            self.rows_read += page.rows_read
            self.hidden += page.hidden
            records = self._library.records([row.image_id for row in page.rows])
            self.matches += [match for row in page.rows if (match := self._match(row, records.get(row.image_id)))]
            full = len(self.matches) == self._asked.size
            if full or page.cut_short or page.place is None or self.rows_read >= MAX_ROWS:
                return

    def counted(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """The counts, with what was found and is not counted yet."""
        found = Counter(typed(term.field, term.name) for match in self.matches for term in match.found)
        return {**found, **{term: images for term, images in counts.items() if images}}

    def _match(self, row: Row, record: Mapping[str, Any] | None) -> Match | None:
        """The result for a row; None when its image no longer exists, or no longer matches."""
        where, confidence = self._plan.query.where, self._asked.min_confidence
        if record is None or not still_matches(where, row, record, confidence):
            return None
        return Match(row.image_id, row.taken_at, record, found_terms(where, record, confidence))


def _unknown(library: Library, query: Query, counts: Mapping[str, int]) -> Sequence[Unknown]:
    """The query's terms that no image has. Counts are up to two minutes old, so a term without a count is looked up.

    A term without separate rows is read from others, whose confidence in it can be 0.
    """
    uncounted = [name for name in _names(query) if not counts.get(name)]
    found = {name: sum(row.confidence > 0 for row in library.read(name, "newest", None, "", 1)) for name in uncounted}
    return unknown_terms(query, {**counts, **found}, library.counts, library.vocabulary)


def _resume(library: Library, asked: Search, query: Query, secret: Callable[[], bytes]) -> tuple[Place, Window]:
    since, until, *place = cursor.read(asked.cursor, query, library.viewer, asked.min_confidence, secret())
    return tuple(place), Window(since, until)


def _names(query: Query) -> list[str]:
    return list(dict.fromkeys(_name(term) for term in query.terms()))


def _name(term: Term) -> str:
    return typed(term.field, term.value)
