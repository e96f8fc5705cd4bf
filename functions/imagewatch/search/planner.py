"""Finds a page of images with few reads: chooses the postings that hold every match, merges them, and decides by their rows.

The work is proportional to the page where the rarest term of a query is about as frequent as its matches. Where it is not (two
frequent terms that never meet), MAX_ROWS bounds it: the page is cut short, says so, and its cursor goes on from there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from imagewatch.search.evaluation import bounds, matches
from imagewatch.search.index import EVERYTHING, Row, typed
from imagewatch.search.query import And, Node, Or, Query, Term

MAX_ROWS = 5_000
"""Index rows that one request reads."""
MAX_PORTION = 500
"""Rows that one read asks for at the most: about 150 KB."""

Place = tuple[Any, ...]
"""A row's place in a posting: `by_time`, or `by_confidence`."""


class Postings(Protocol):
    """The postings of one viewer."""

    def count(self, term: str) -> int:
        """About how many rows the term's posting has."""
        ...

    def read(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> Sequence[Row]:
        """Up to `limit` rows behind the place `after`, fewer only at the end of the posting.

        `order` is newest, oldest or confidence (highest first, and the newest first among equals). In an order of time, rows
        beyond the moment `stop` (ISO 8601, empty for none) are left out.
        """
        ...


@dataclass(frozen=True)
class Page:
    """A part of the results."""

    rows: list[Row]
    place: Place | None
    """Where the next page goes on; None at the end of the results."""
    rows_read: int
    cut_short: bool
    """MAX_ROWS was reached before the page was full. There may be more."""


@dataclass(frozen=True)
class Plan:
    """The postings that are merged, and what their rows are tested against."""

    query: Query
    terms: tuple[str, ...]

    @property
    def order(self) -> str:
        return self.query.sort


def plan(query: Query, count: Callable[[str], int]) -> Plan:
    """The cheapest postings that together hold every match. `count` estimates a posting's rows."""
    if query.sort == "confidence":
        first = next(query.terms(), None)
        return Plan(query, (typed(first.field, first.value),) if first else (EVERYTHING,))
    found = _driver(query.where, count)
    return Plan(query, found[1] if found else (EVERYTHING,))


def search(plan: Plan, postings: Postings, size: int, min_confidence: float, after: Place | None = None) -> Page:
    """The next page of up to `size` images behind the place `after`."""
    first, last = bounds(plan.query.where)
    start, stop = (last, first) if plan.order == "newest" else (first, last)
    reader = _Reader(postings, plan.order, after or _start(plan.order, start), stop, size)
    found: list[Row] = []
    place: Place | None = None
    previous = None
    try:
        for row in reader.merged(plan.terms):
            place = _place(row, plan.order)
            if row.image_id != previous and matches(plan.query.where, row, min_confidence):
                found.append(row)
                reader.found += 1
            previous = row.image_id
            if len(found) == size:
                return Page(found, place, reader.rows_read, False)
    except _LimitReached:
        return Page(found, place, reader.rows_read, True)
    return Page(found, None, reader.rows_read, False)


def _driver(node: Node | None, count: Callable[[str], int]) -> tuple[int, tuple[str, ...]] | None:
    """(estimated rows, postings) that contain every match of the node; None if only EVERYTHING contains them all."""
    if isinstance(node, Term):
        name = typed(node.field, node.value)
        return count(name), (name,)
    if isinstance(node, And):
        drivers = [found for part in node.parts if (found := _driver(part, count))]
        return min(drivers, default=None, key=lambda driver: driver[0])
    if isinstance(node, Or):
        every = [_driver(part, count) for part in node.parts]
        known = [found for found in every if found]
        if len(known) < len(every):
            return None
        names = dict.fromkeys(name for _, terms in known for name in terms)
        return sum(cost for cost, _ in known), tuple(names)
    return None


class _LimitReached(Exception):
    """The next row would take more reads than one request may make."""


class _Reader:
    """Reads postings in portions and merges them in the plan's order."""

    def __init__(self, postings: Postings, order: str, after: Place | None, stop: str, size: int) -> None:
        self._postings, self._order, self._after, self._stop, self._size = postings, order, after, stop, size
        self.rows_read = 0
        self.found = 0
        """Matches among the rows so far; the search counts them."""

    def merged(self, terms: Sequence[str]) -> Iterator[Row]:
        streams = [self._rows(term, max(10, self._size // len(terms))) for term in terms]
        if len(streams) == 1:
            yield from streams[0]
            return
        yield from heapq.merge(*streams, key=lambda row: _place(row, self._order), reverse=self._order != "oldest")

    def _rows(self, term: str, portion: int) -> Iterator[Row]:
        """A posting's rows. The first read is as small as a page; later ones ask for what the matches so far suggest."""
        after, first = self._after, portion
        for number in itertools.count():
            if number and self.rows_read:
                wanted = (self._size - self.found) * self.rows_read // self.found if self.found else 2 * portion
                portion = max(first, wanted)
            portion = min(portion, MAX_PORTION, MAX_ROWS - self.rows_read)
            if portion <= 0:
                raise _LimitReached
            found = self._postings.read(term, self._order, after, self._stop, portion)
            self.rows_read += len(found)
            yield from found
            if len(found) < portion:
                return
            after = _place(found[-1], self._order)


def _place(row: Row, order: str) -> Place:
    return row.by_confidence if order == "confidence" else row.by_time


def _start(order: str, moment: str) -> Place | None:
    """The place before the first row that can match; None to start at the posting's beginning."""
    return (moment, "") if moment and order != "confidence" else None
