"""A library in memory for tests of the search: images, their index rows as a table keeps them, and counts."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from imagewatch.search.counts import DayCount, TermCount
from imagewatch.search.days import local_day
from imagewatch.search.evaluation import matches
from imagewatch.search.find import Search, find
from imagewatch.search.index import EVERYONE, Row, named_terms, rows, typed
from imagewatch.search.planner import Place, _has_confidence, _ranked
from imagewatch.search.query import Query
from imagewatch.timestamps import iso_utc

SECRET = b"a secret of this deployment"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def record_of(
    labels: Mapping[str, float], *, status: str = "ANALYZED", source: str = "gate-1", key: str = "uploads/gate-1/a.jpg"
) -> dict[str, Any]:
    """An image's record with these labels."""
    found = [
        {"Name": n, "Confidence": c, "Parents": [], "Aliases": [], "Categories": [], "Instances": []} for n, c in labels.items()
    ]
    return {
        "Key": key, "Status": status, "Source": source, "Labels": found, "Moderation": {"Labels": []}, "MatchedRules": [],
    }  # fmt: skip


def moment(minutes: int) -> str:
    """A moment so many minutes after the first of January 2026."""
    return iso_utc(EPOCH + timedelta(minutes=minutes))


@dataclass
class MemoryLibrary:
    """The library of one viewer, kept sorted as a table keeps it."""

    viewer: str = EVERYONE
    postings: dict[tuple[str, str], list[tuple[Place, Row]]] = field(default_factory=lambda: defaultdict(list))
    images: dict[str, tuple[Row, dict[str, Any]]] = field(default_factory=dict)
    reads: list[int] = field(default_factory=list)
    sorted: bool = True
    """Whether postings can be read in the order of confidence."""

    def add(self, image_id: str, record: dict[str, Any], taken_at: str, minute: int | None = None) -> None:
        if minute is None:
            minute = int(taken_at[11:13]) * 60 + int(taken_at[14:16])
        for term, row in rows(image_id, record, taken_at, minute).items():
            self.images[image_id] = (row, record)
            for kind in ("by_time", "by_confidence"):
                bisect.insort(self.postings[term, kind], (getattr(row, kind), row), key=lambda entry: entry[0])

    def remove(self, image_id: str, *, rows_stay: bool = False) -> None:
        """Removes an image; with `rows_stay`, as after a crash before its rows were deleted."""
        self.images.pop(image_id, None)
        if not rows_stay:
            for posting in self.postings.values():
                posting[:] = [entry for entry in posting if entry[1].image_id != image_id]

    @property
    def rows_read(self) -> int:
        return sum(self.reads)

    def sorts(self, _term: str) -> bool:
        return self.sorted

    def count(self, term: str) -> int:
        return len(self.postings[term, "by_time"])

    def counts(self, terms: Sequence[str]) -> Mapping[str, int]:
        return {term: self.count(term) for term in terms if self.count(term)}

    def read(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> Sequence[Row]:
        assert order != "confidence" or self.sorted
        posting = self.postings[term, "by_confidence" if order == "confidence" else "by_time"]
        if order == "oldest":
            start = bisect.bisect_right(posting, after, key=lambda entry: entry[0]) if after else 0
            found = [row for _, row in posting[start : start + limit] if not stop or row.taken_at < stop]
        else:
            end = bisect.bisect_left(posting, after, key=lambda entry: entry[0]) if after else len(posting)
            part = posting[max(0, end - limit) : end][::-1]
            found = [row for _, row in part if not stop or order == "confidence" or row.taken_at >= stop]
        self.reads.append(len(found))
        return found

    def vocabulary(self, prefix: str, limit: int) -> Sequence[TermCount]:
        names = {typed(f, name): name for _, record in self.images.values() for f, name, _ in named_terms(record)}
        return [TermCount(term, names[term], self.count(term)) for term in sorted(names) if term.startswith(prefix)][:limit]

    def days(self, first: str, last: str) -> Sequence[DayCount]:
        found: dict[str, int] = defaultdict(int)
        for row, _ in self.images.values():
            found[local_day(row.taken_at, row.minute_of_day)] += 1
        return [DayCount(day, found[day]) for day in sorted(found, reverse=True) if first <= day <= last]

    def records(self, image_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {image_id: self.images[image_id][1] for image_id in image_ids if image_id in self.images}


def plainly(images: Mapping[str, tuple[Row, dict[str, Any]]], query: Query, min_confidence: float = 0) -> list[str]:
    """The ids of the matching images, by a look at every image."""
    found = [row for row, _ in images.values() if matches(query.where, row, min_confidence)]
    ranked = _ranked(query.where)
    if query.sort == "confidence" and _has_confidence(ranked):
        names = [typed(term.field, term.value) for term in ranked]

        def place(row: Row) -> tuple[Any, ...]:
            found = rows(row.image_id, images[row.image_id][1], row.taken_at, row.minute_of_day)
            return max(found[name].by_confidence for name in names if name in found)

        return [row.image_id for row in sorted(found, key=place, reverse=True)]
    return [row.image_id for row in sorted(found, key=lambda row: row.by_time, reverse=query.sort != "oldest")]


def every_page(library: Any, asked: Search) -> list[str]:
    """The ids on all pages. Each page but the last is full, or says that it was cut short."""
    found: list[str] = []
    while True:
        page = find(library, asked, lambda: SECRET)
        found += [match.image_id for match in page.matches]
        if page.cursor is None:
            assert not page.cut_short
            return found
        assert len(page.matches) == asked.size or page.cut_short
        asked = Search(asked.text, asked.min_confidence, asked.size, page.cursor)


NAMES = ["Person", "Car", "Night", "Cat", "Traffic Light"]
IMAGES = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from([40.0, 55.5, 79.99, 80.0, 97.2]), max_size=4),
        st.integers(0, 60 * 24 * 60),
        st.sampled_from(["ANALYZED", "REJECTED", "FAILED"]),
        st.sampled_from(["gate-1", "gate-2"]),
        st.sampled_from([-600, -60, 0, 330, 780]),  # minutes from UTC
    ),
    max_size=40,
)
TEXTS = st.recursive(
    st.sampled_from(
        ["person", "car:80", "night", "cat", '"traffic light":50', "source:gate-2", "status:rejected",
         "taken:2026-01-10..2026-01-20", "time:06:00-18:00", "taken:2026-02"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} and {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} or {pair[1]})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=6,
)  # fmt: skip
Image = tuple[dict[str, float], int, str, str, int]


def image_of(number: int, image: Image) -> tuple[str, dict[str, Any], str, int]:
    """(id, record, taken at, minute of the day at the place) of a drawn image."""
    labels, minutes, status, source, offset = image
    record = record_of(labels, status=status, source=source)
    return f"{number:04x}", record, moment(minutes), (minutes + offset) % 1440
