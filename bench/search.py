"""What a search reads: index rows and read units for one page of 50, on the real planner over simulated postings.

The images are numbers in the order of time, and their labels are drawn at random with a fixed seed. Nothing goes through the
workflow or a table: the figures are those of the key design.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

from bench.tables import Table
from imagewatch.search.grammar import parse
from imagewatch.search.index import IndexedTerm, Row, pack
from imagewatch.search.planner import Page, Place, plan, search

PAGE = 50
SIZES = (1_000, 1_000_000)
KEY_BYTES = 90  # keys, time, minute and confidence of a row, with their attribute names
TERMS_OF_AN_IMAGE = 25
OWNED = 100
"""A person owns one image in this many."""

# (query, rows that one page may read). Each is a promise of the design; the table shows how near the figure is.
QUERIES: tuple[tuple[str, str, int, int], ...] = (
    ("a label in half of the images", "common", 1, 60),
    ("the same, for an owner of 1 %", "common", OWNED, 60),
    ("rare AND half", "rare and common", 1, 150),
    ("half AND half", "common and other", 1, 150),
    ("half AND NOT half", "common and not other", 1, 150),
    ("a confidence that one in twelve reaches", "common:90", 1, 800),
    ("by confidence", "common sort:confidence", 1, 60),
    ("two halves that never meet", "common and never", 1, 5_000),
)


class Simulated:
    """The postings of one viewer, who sees every `share`-th image."""

    def __init__(self, images: int, share: int) -> None:
        dice = random.Random(images)
        seen = range(0, images, share)
        self._common = [number for number in seen if dice.random() < 0.5]
        chosen = set(self._common)
        self._postings = {
            "label:common": self._common,
            "label:other": [number for number in seen if dice.random() < 0.5],
            "label:rare": [number for number in seen if dice.random() < 0.001],
            "label:never": [number for number in seen if number not in chosen],
            "all": list(seen),
        }
        self.rows_read = 0
        self._members = {name: set(numbers) for name, numbers in self._postings.items() if name != "all"}

    def sorts(self, _term: str) -> bool:
        return True

    def count(self, term: str) -> int:
        return len(self._postings[term])

    def read(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> Sequence[Row]:
        found = self._part(term, order, after, limit)
        self.rows_read += len(found)
        return found

    def _part(self, term: str, order: str, after: Place | None, limit: int) -> list[Row]:
        numbers = self._by_confidence if order == "confidence" else self._postings[term]
        if order == "confidence":
            start = 0 if after is None else self._rank[int(after[2])] + 1
            return [self._row(number) for number in numbers[start : start + limit]]
        end = len(numbers) if after is None else bisect_left(numbers, int(after[1]))
        return [self._row(number) for number in numbers[max(0, end - limit) : end][::-1]]

    @cached_property
    def _by_confidence(self) -> list[int]:
        return sorted(self._common, key=lambda number: (_confidence(number), number), reverse=True)

    @cached_property
    def _rank(self) -> dict[int, int]:
        return {number: rank for rank, number in enumerate(self._by_confidence)}

    def _row(self, number: int) -> Row:
        terms = [IndexedTerm(name, _confidence(number)) for name, members in self._members.items() if number in members]
        return Row(f"{number:09}", f"{number:09}", 0, _confidence(number), pack(terms))


def table() -> Table:
    """A row for each query, at each size of the library."""
    rows = []
    stacks = {(size, share): Simulated(size, share) for size in SIZES for share in {query[2] for query in QUERIES}}
    for name, text, share, budget in QUERIES:
        pages = [_page(stacks[size, share], text) for size in SIZES]
        cells = [f"{page.rows_read:,}" for page in pages]
        largest = pages[-1]
        found = f"{len(largest.rows)}, cut short" if largest.cut_short else str(len(largest.rows))
        rows.append(
            [name, *cells, f"{_read_units(largest.rows_read):,.1f}", found, f"{budget:,}", f"{largest.rows_read / budget:.2f}"]
        )
    columns = ["query", *(f"rows at {size:,}" for size in SIZES), "read units", "images found", "budget", "ratio"]
    notes = [
        f"A page of {PAGE}. A row has about {_row_bytes()} bytes and covers its image: no record is read.",
        "Read units are eventually consistent (half a unit for 4 KB), for the larger library.",
        "A page that was cut short says so, and its cursor goes on.",
    ]
    return Table("Search: rows read for one page", columns, rows, notes)


def _page(postings: Simulated, text: str) -> Page:
    query = parse(text)
    return search(plan(query, postings.count), postings, PAGE, 0.0)


def _confidence(number: int) -> float:
    """40 to 99.99, spread so that one image in twelve reaches 90."""
    ratio = (number * 2_654_435_761 % 2**32) / 2**32
    return 40 + 50 * ratio * 12 / 11 if ratio < 11 / 12 else 90 + 9.99 * (ratio * 12 - 11)


def _row_bytes() -> int:
    return KEY_BYTES + 8 * TERMS_OF_AN_IMAGE


def _read_units(rows: int) -> float:
    return math.ceil(rows * _row_bytes() / 4096) / 2
