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

from imagewatch.search.days import bounds
from imagewatch.search.evaluation import Verdict, leading_term, matcher
from imagewatch.search.index import EVERYTHING, Row, typed
from imagewatch.search.query import WITH_CONFIDENCE, And, Node, Or, Query, Term

MAX_ROWS = 5_000
"""Index rows that one request reads."""
MAX_PORTION = 500
"""Rows that one read asks for at the most: about 150 KB."""
MAX_HIDDEN_ROWS = 500
"""Rows that are read only to count what the viewer's confidence hides, where no match follows."""

Place = tuple[Any, ...]
"""A row's place in a posting: `by_time`, or `by_confidence`."""


class Postings(Protocol):
    """The postings of one viewer."""

    @property
    def rows_read(self) -> int:
        """The index rows that were read so far, also those that `read` left out."""
        ...

    def sorts(self, term: str) -> bool:
        """Whether the term's posting can be read in the order of confidence."""
        ...

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
class Window:
    """The moments between which images were taken: ISO 8601, UTC, the first included and the second not; empty where open."""

    since: str = ""
    until: str = ""

    def __contains__(self, moment: str) -> bool:
        return self.since <= moment and (not self.until or moment < self.until)


ALWAYS = Window()


@dataclass(frozen=True)
class Page:
    """A part of the results."""

    rows: list[Row]
    place: Place | None
    """Where the next page goes on; None at the end of the results."""
    rows_read: int
    cut_short: bool
    """The limit of rows was reached before the page was full. There may be more."""
    hidden: int = 0
    """Images that only the viewer's confidence hides, among those between the page's beginning and `place`."""
    hidden_exact: bool = True
    """False where images beyond those that were looked at may be hidden too, although no match follows."""
    reached: str = ""
    """How far the page looked in the order of time: ISO 8601, UTC. Empty at the end of the results."""
    reached_confidence: float | None = None
    """How far it looked in the order of confidence; None in an order of time."""


@dataclass(frozen=True)
class Plan:
    """The postings that are merged, and what their rows are tested against."""

    query: Query
    terms: tuple[str, ...]
    order: str
    """newest, oldest or confidence."""
    by_time: tuple[str, ...]
    """The postings that are merged where `terms` can't be read in the order of confidence."""
    window: Window = ALWAYS


def plan(query: Query, count: Callable[[str], int], window: Window = ALWAYS) -> Plan:
    """The cheapest postings that together hold every match. `count` estimates a posting's rows.

    In the order of confidence, the query alone decides: the confidence of an image is its highest in the terms of the first part
    of the query that every match has. A query without such a part is in the order of time, newest first.
    """
    cheapest = _cheapest(query, count)
    if query.sort != "confidence":
        return Plan(query, cheapest, query.sort, cheapest, window)
    ranked = _ranked(query.where)
    if not _has_confidence(ranked):
        return Plan(query, cheapest, "newest", cheapest, window)
    names = dict.fromkeys(typed(term.field, term.value) for term in ranked)
    return Plan(query, tuple(names), "confidence", cheapest, window)


def search(
    plan: Plan, postings: Postings, size: int, min_confidence: float, after: Place | None = None, *, max_rows: int = MAX_ROWS
) -> Page:
    """The next page of up to `size` images behind the place `after`. It reads at most `max_rows` rows."""
    reader = _Reader(plan, postings, after, size, max_rows)
    judge, floor = matcher(plan.query.where).judge, _floor(plan, min_confidence)
    found: list[Row] = []
    place, hidden, previous, below_floor = after, 0, "", False
    try:
        for term, row in reader.merged():
            verdict = Verdict.OTHER
            if row.image_id != previous and row.taken_at in plan.window and _counts(row, term, plan):
                verdict = judge(row, min_confidence)
            if verdict is Verdict.MATCH and len(found) == size:
                return _page(plan, found, place, reader.rows_read, False, hidden)
            found += [row] if verdict is Verdict.MATCH else []
            hidden += verdict is Verdict.HIDDEN
            place, previous, reader.found = _place(row, plan.order), row.image_id, len(found)
            if plan.order == "confidence" and row.confidence < floor and not below_floor:
                below_floor = True  # no match follows
                reader.allow(MAX_HIDDEN_ROWS)
            elif len(found) == size and not below_floor:
                reader.allow(0)  # the rows that are there already can show whether another match follows
    except _LimitReached:
        if below_floor:
            return Page(found, None, reader.rows_read, False, hidden, hidden_exact=False)
        return _page(plan, found, place, reader.rows_read, len(found) < size, hidden)
    return Page(found, None, reader.rows_read, False, hidden)


def _page(plan: Plan, found: list[Row], place: Place | None, rows_read: int, cut_short: bool, hidden: int) -> Page:
    """A page after which another follows."""
    confidence = float(place[0]) if place and plan.order == "confidence" else None
    return Page(found, place, rows_read, cut_short, hidden, True, str(place[-2]) if place else "", confidence)


def _cheapest(query: Query, count: Callable[[str], int]) -> tuple[str, ...]:
    found = _driver(query.where, count)
    return found[1] if found else (EVERYTHING,)


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


def _ranked(node: Node | None) -> tuple[Term, ...]:
    """The terms of the first part of a query that every match has, one with a confidence if there is one; empty without any."""
    if isinstance(node, Term):
        return (node,)
    if isinstance(node, And):
        parts = [found for part in node.parts if (found := _ranked(part))]
        return next((found for found in parts if _has_confidence(found)), parts[0] if parts else ())
    if isinstance(node, Or):
        parts = [_ranked(part) for part in node.parts]
        return tuple(itertools.chain.from_iterable(parts)) if all(parts) else ()
    return ()


def _has_confidence(terms: Sequence[Term]) -> bool:
    return any(term.field in WITH_CONFIDENCE for term in terms)


def _floor(plan: Plan, min_confidence: float) -> float:
    """The lowest confidence of a match in the order of confidence."""
    wanted = (min_confidence if term.min_confidence is None else term.min_confidence for term in _ranked(plan.query.where))
    return min(wanted, default=0.0)


def _counts(row: Row, term: str, plan: Plan) -> bool:
    """Whether this is the row by which the image takes its place in the order: in that of confidence, its highest."""
    return plan.order != "confidence" or len(plan.terms) == 1 or leading_term(row, plan.terms) == term


class _LimitReached(Exception):
    """The next row would take more reads than the search may make."""


class _Reader:
    """Reads postings in portions and merges them in the plan's order."""

    def __init__(self, plan: Plan, postings: Postings, after: Place | None, size: int, max_rows: int) -> None:
        first, last = bounds(plan.query.where)
        since = max(first, plan.window.since)
        until = min(filter(None, (last, plan.window.until)), default="")
        start, self._stop = (until, since) if plan.order == "newest" else (since, until)
        self._after = after or _start(plan.order, start)
        self._terms, self._order, self._postings, self._size, self._limit = plan.terms, plan.order, postings, size, max_rows
        self._start = postings.rows_read
        self.found = 0
        """Matches among the rows so far; the search counts them."""

    @property
    def rows_read(self) -> int:
        """The rows that this search has read."""
        return self._postings.rows_read - self._start

    def allow(self, rows: int) -> None:
        """Reads at most this many rows more."""
        self._limit = min(self._limit, self.rows_read + rows)

    def merged(self) -> Iterator[tuple[str, Row]]:
        """The rows of all postings in order, each with the term of its posting. Raises _LimitReached."""
        streams = [self._rows(term, max(10, self._size // len(self._terms) + 1)) for term in self._terms]
        if len(streams) == 1:
            return streams[0]
        return heapq.merge(*streams, key=lambda found: _place(found[1], self._order), reverse=self._order != "oldest")

    def _rows(self, term: str, portion: int) -> Iterator[tuple[str, Row]]:
        """A posting's rows. The first read is as small as a page; later ones ask for what the matches so far suggest."""
        after, first = self._after, portion
        for number in itertools.count():
            if number and self.rows_read:
                wanted = (self._size - self.found) * self.rows_read // self.found if self.found else 2 * portion
                portion = max(first, wanted)
            portion = min(portion, MAX_PORTION, self._limit - self.rows_read)
            if portion <= 0:
                raise _LimitReached
            found = self._read(term, after, portion)
            yield from ((term, row) for row in found)
            if len(found) < portion:
                return
            after = _place(found[-1], self._order)

    def _read(self, term: str, after: Place | None, limit: int) -> Sequence[Row]:
        if self._order != "confidence" or term.partition(":")[0] in WITH_CONFIDENCE:
            return self._postings.read(term, self._order, after, self._stop, limit)
        # Everything in this posting has the confidence 100, so its order of time is that of confidence too.
        if after and after[0] < 100:
            return ()
        return self._postings.read(term, "newest", after[1:] if after else None, "", limit)


def _place(row: Row, order: str) -> Place:
    return row.by_confidence if order == "confidence" else row.by_time


def _start(order: str, moment: str) -> Place | None:
    """The place before the first row that can match; None to start at the posting's beginning."""
    return (moment, "") if moment and order != "confidence" else None
