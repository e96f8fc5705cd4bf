"""Decides whether an image matches a query, from one index row."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum

from imagewatch.search.days import local_day, within_days
from imagewatch.search.index import Row, digest, typed, unpack
from imagewatch.search.query import And, Node, Not, Or, Taken, Term, TimeOfDay


def matches(node: Node | None, row: Row, min_confidence: float) -> bool:
    """Whether the image of the row matches. `min_confidence` (0-100) applies to terms without a confidence."""
    return matcher(node).matches(row, min_confidence)


def hidden_by_confidence(node: Node | None, row: Row, min_confidence: float) -> bool:
    """Whether only the viewer's confidence hides the image: it doesn't match as it is, and would at a lower confidence."""
    return matcher(node).judge(row, min_confidence) is Verdict.HIDDEN


class Verdict(Enum):
    """What a query says about an image."""

    MATCH = "it matches"
    HIDDEN = "it would match at a lower confidence of the viewer"
    OTHER = "it does not match"


class Matcher:
    """A query that is prepared for many rows."""

    def __init__(self, node: Node | None) -> None:
        self._test = _prepared(node) if node else _always
        self._names = tuple(dict.fromkeys(_viewers_terms(node))) if node else ()

    def matches(self, row: Row, min_confidence: float) -> bool:
        """As the function `matches`."""
        return bool(self._test(_Row(row, unpack(row.terms), (min_confidence,))))

    def judge(self, row: Row, min_confidence: float) -> Verdict:
        """Whether the row's image matches, and if not, whether it would at a lower confidence."""
        terms = unpack(row.terms)
        # What matches can change only at a confidence that the image has in one of the query's terms.
        found = {terms[name] for name in self._names if name in terms}
        levels = (*sorted(level for level in found if level < min_confidence), min_confidence)
        matching = self._test(_Row(row, terms, levels))
        if matching >> (len(levels) - 1):
            return Verdict.MATCH
        return Verdict.HIDDEN if matching else Verdict.OTHER


@functools.lru_cache(maxsize=32)
def matcher(node: Node | None) -> Matcher:
    """The prepared query."""
    return Matcher(node)


def leading_term(row: Row, names: Sequence[str]) -> str:
    """The one of these terms in which the image has the highest confidence, the first among equals."""
    terms = unpack(row.terms)
    return max(names, key=lambda name: terms.get(digest(name), -1.0))


def highest_confidence(row: Row, names: Sequence[str]) -> float:
    """The highest confidence (0-100) that the image has in one of these terms; 0 without any."""
    terms = unpack(row.terms)
    return max(terms.get(digest(name), 0.0) for name in names)


class _Row:
    """A row with the levels of the viewer's confidence at which it is tested, in ascending order.

    A test gives one bit for each level, the lowest bit for the first, so that one pass decides about all levels.
    """

    def __init__(self, row: Row, terms: Mapping[bytes, float], levels: Sequence[float]) -> None:
        self.terms, self.levels, self.minute = terms, levels, row.minute_of_day
        self.all = (1 << len(levels)) - 1
        self._row = row

    @functools.cached_property
    def day(self) -> str:
        return local_day(self._row.taken_at, self._row.minute_of_day)


_Test = Callable[[_Row], int]


def _always(row: _Row) -> int:
    return row.all


def _prepared(node: Node) -> _Test:
    """The test of a row that a part of a query stands for. Digests are made once, not for each row."""
    if isinstance(node, Term):
        return _prepared_term(digest(typed(node.field, node.value)), node.min_confidence)
    if isinstance(node, Taken):
        return lambda row: row.all if within_days(node, row.day) else 0
    if isinstance(node, TimeOfDay):
        return lambda row: row.all if _within_day(node, row.minute) else 0
    if isinstance(node, Not):
        inner = _prepared(node.part)
        return lambda row: row.all & ~inner(row)
    parts = tuple(map(_prepared, node.parts))
    if isinstance(node, And):
        return lambda row: functools.reduce(lambda bits, part: bits and bits & part(row), parts, row.all)
    return lambda row: functools.reduce(lambda bits, part: bits if bits == row.all else bits | part(row), parts, 0)


def _prepared_term(name: bytes, own: float | None) -> _Test:
    if own is not None:
        return lambda row: row.all if row.terms.get(name, -1.0) >= own else 0
    # A confidence reaches all levels up to it.
    return lambda row: (1 << bisect.bisect_right(row.levels, row.terms[name])) - 1 if name in row.terms else 0


def _within_day(interval: TimeOfDay, minute: int) -> bool:
    if interval.start < interval.end:
        return interval.start <= minute < interval.end
    return minute >= interval.start or minute < interval.end


def _viewers_terms(node: Node) -> Iterator[bytes]:
    """The digests of the terms to which the viewer's confidence applies."""
    if isinstance(node, Term):
        if node.min_confidence is None:
            yield digest(typed(node.field, node.value))
    elif isinstance(node, Not):
        yield from _viewers_terms(node.part)
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from _viewers_terms(part)
