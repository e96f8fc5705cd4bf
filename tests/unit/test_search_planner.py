"""Search against a plain look at every image: the same images in the same order, page by page, with few rows read."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewatch.search.evaluation import hidden_by_confidence, matches
from imagewatch.search.grammar import parse
from imagewatch.search.index import MAX_TERMS, IndexedTerm, Row, pack, rows, terms_of, typed, unpack
from imagewatch.search.planner import MAX_ROWS, Page, Place, plan, search
from imagewatch.search.query import Query
from tests.search_library import TEXTS

CONFIDENCES = {"newest": "by_time", "oldest": "by_time", "confidence": "by_confidence"}


@dataclass
class Library:
    """Postings in memory, kept sorted as a table keeps them."""

    postings: dict[tuple[str, str], list[tuple[Place, Row]]] = field(default_factory=lambda: defaultdict(list))
    images: dict[str, Row] = field(default_factory=dict)
    rows_read: int = 0

    def add(self, image_id: str, record: dict[str, Any], taken_at: str, minute: int = 0) -> None:
        for term, row in rows(image_id, record, taken_at, minute).items():
            self.images[image_id] = row
            for kind in ("by_time", "by_confidence"):
                bisect.insort(self.postings[term, kind], (getattr(row, kind), row), key=lambda entry: entry[0])

    def remove(self, image_id: str) -> None:
        self.images.pop(image_id, None)
        for posting in self.postings.values():
            posting[:] = [entry for entry in posting if entry[1].image_id != image_id]

    def count(self, term: str) -> int:
        return len(self.postings[term, "by_time"])

    def read(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> Sequence[Row]:
        found = self._part(term, order, after, stop, limit)
        self.rows_read += len(found)
        return found

    def sorts(self, _term: str) -> bool:
        return True

    def _part(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> Sequence[Row]:
        posting = self.postings[term, CONFIDENCES[order]]
        if order == "oldest":
            start = bisect.bisect_right(posting, after, key=lambda entry: entry[0]) if after else 0
            part = posting[start : start + limit]
            return [row for _, row in part if not stop or row.taken_at < stop]
        end = bisect.bisect_left(posting, after, key=lambda entry: entry[0]) if after else len(posting)
        part = posting[max(0, end - limit) : end][::-1]
        return [row for _, row in part if not stop or order == "confidence" or row.taken_at >= stop]


def record(labels: dict[str, float], *, status: str = "ANALYZED", source: str = "gate-1") -> dict[str, Any]:
    found = [
        {"Name": n, "Confidence": c, "Parents": [], "Aliases": [], "Categories": [], "Instances": []} for n, c in labels.items()
    ]
    return {"Status": status, "Source": source, "Labels": found, "Moderation": {"Labels": []}, "MatchedRules": []}


def all_pages(library: Library, query: Query, size: int, min_confidence: float = 0) -> list[str]:
    found, place = [], None
    while True:
        page = search(plan(query, library.count), library, size, min_confidence, place)
        assert page.rows_read <= MAX_ROWS
        found += [row.image_id for row in page.rows]
        place = page.place
        if place is None:
            return found


def plainly(library: Library, query: Query, min_confidence: float = 0) -> list[str]:
    """Every image looked at, in the order of time."""
    found = [row for row in library.images.values() if matches(query.where, row, min_confidence)]
    return [row.image_id for row in sorted(found, key=lambda row: row.by_time, reverse=query.sort == "newest")]


NAMES = ["person", "car", "night", "cat", "traffic light"]
IMAGES = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from([40.0, 55.5, 79.99, 80.0, 97.2]), max_size=4),
        st.integers(0, 40),
        st.sampled_from(["ANALYZED", "REJECTED", "FAILED"]),
        st.sampled_from(["gate-1", "gate-2"]),
    ),
    max_size=40,
)


def moment(day: int) -> str:
    return f"2026-{1 + day // 28:02}-{1 + day % 28:02}T12:00:00.000Z"


def library_of(images: list[tuple[dict[str, float], int, str, str]]) -> Library:
    library = Library()
    for number, (labels, day, status, source) in enumerate(images):
        library.add(f"{number:04x}", record(labels, status=status, source=source), moment(day), minute=number * 37 % 1440)
    return library


@settings(max_examples=150)
@given(IMAGES, TEXTS, st.sampled_from(["newest", "oldest"]), st.integers(1, 7), st.sampled_from([0.0, 60.0, 90.0]))
def test_search_finds_what_a_look_at_every_image_finds(
    images: list[tuple[dict[str, float], int, str, str]], text: str, order: str, size: int, confidence: float
) -> None:
    library, query = library_of(images), parse(f"{text} sort:{order}")
    assert all_pages(library, query, size, confidence) == plainly(library, query, confidence)


@settings(max_examples=100)
@given(IMAGES, TEXTS, st.integers(1, 5))
def test_results_stay_stable_while_images_come_and_go(
    images: list[tuple[dict[str, float], int, str, str]], text: str, size: int
) -> None:
    library, query = library_of(images), parse(text)
    expected = plainly(library, query)
    first = search(plan(query, library.count), library, size, 0)
    if first.place is None:
        assert [row.image_id for row in first.rows] == expected
        return
    library.add("ffff", record({"person": 99, "car": 99}), "2027-01-01T00:00:00.000Z")  # newer than everything
    gone = expected[-1]
    if gone not in [row.image_id for row in first.rows]:
        library.remove(gone)
    found, place = [row.image_id for row in first.rows], first.place
    while place is not None:
        page = search(plan(query, library.count), library, size, 0, place)
        found, place = found + [row.image_id for row in page.rows], page.place
    assert found == [image for image in expected if image in library.images]


def test_the_order_by_confidence_is_that_of_the_first_term() -> None:
    library = Library()
    for number, confidence in enumerate([55.0, 99.0, 80.0, 99.0]):
        library.add(f"{number}", record({"person": confidence, "car": 100 - confidence}), moment(number))
    query = parse("person sort:confidence")
    assert all_pages(library, query, 3) == ["3", "1", "2", "0"]
    assert all_pages(library, parse("car and person sort:confidence"), 3) == ["0", "2", "3", "1"]


def test_a_page_that_was_cut_short_says_so_and_goes_on() -> None:
    library = Library()
    for number in range(2 * MAX_ROWS):
        library.add(
            f"{number:05}", record({"car" if number % 2 else "person": 90.0}), f"2026-01-01T{number // 3600:02}:00:00.000Z"
        )
    library.add("meet", record({"car": 90.0, "person": 90.0}), "2025-01-01T00:00:00.000Z")
    query = parse("car and person")
    page = search(plan(query, library.count), library, 50, 0)
    assert (page.rows, page.cut_short, page.rows_read <= MAX_ROWS) == ([], True, True)
    assert page.place is not None, "a page that was cut short must not look like the end"
    assert all_pages(library, query, 50) == ["meet"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("rare and common", ("label:rare",)),
        ("common and rare and not medium", ("label:rare",)),
        ("rare or medium", ("label:rare", "label:medium")),
        ("(rare or medium) and common", ("label:rare", "label:medium")),
        ("(rare or medium) and tiny", ("label:tiny",)),
        ("not common", ("all",)),
        ("rare or not common", ("all",)),
        ("taken:2026-05", ("all",)),
        ("", ("all",)),
        ("taken:2026-05 and medium", ("label:medium",)),
        ("common sort:confidence", ("label:common",)),
        ("rare rare", ("label:rare",)),
    ],
)
def test_the_plan_reads_the_rarest_postings(text: str, terms: tuple[str, ...]) -> None:
    counts = {"label:tiny": 3, "label:rare": 10, "label:medium": 1_000, "label:common": 500_000, "all": 1_000_000}
    assert plan(parse(text), counts.__getitem__).terms == terms


def test_days_bound_what_is_read() -> None:
    library = Library()
    for number in range(3_000):
        library.add(f"{number:05}", record({"car": 90.0}), f"{2000 + number // 300}-06-01T00:00:00.000Z")
    for order in ("newest", "oldest"):
        query = parse(f"car and taken:2004..2005 sort:{order}")
        page = search(plan(query, library.count), library, 50, 0)
        assert len(page.rows) == 50
        assert page.rows_read <= 100
        assert len(all_pages(library, query, 250)) == 600


def test_the_confidence_of_a_term_replaces_the_viewers() -> None:
    library = Library()
    library.add("a", record({"person": 70.0, "car": 70.0}), moment(1))
    assert all_pages(library, parse("person:60"), 5, 90) == ["a"]
    assert all_pages(library, parse("person"), 5, 90) == []
    row = library.images["a"]
    assert hidden_by_confidence(parse("person").where, row, 90)
    assert not hidden_by_confidence(parse("person").where, row, 70)
    assert not hidden_by_confidence(parse("cat").where, row, 90)


def test_an_image_is_found_by_every_name_of_its_labels() -> None:
    found = record({})
    found["Labels"] = [
        {
            "Name": "Café Terrace",
            "Confidence": 91.239,
            "Parents": ["Outdoors"],
            "Aliases": ["Patio"],
            "Categories": ["Food & Drink"],
        }
    ]
    found["Moderation"] = {"Labels": [{"Name": "Alcohol Use", "Confidence": 61.0, "Parents": ["Alcohol"]}]}
    found["Text"] = [{"Text": "Grüße", "Confidence": 99.0}]
    found["MatchedRules"] = [{"RuleId": "people-outside", "Name": "People outside"}]
    names = {term.name for term in terms_of(found)}
    assert names == {
        "all", "status:analyzed", "source:gate 1", "label:cafe terrace", "label:outdoors", "label:patio", "category:food drink",
        "moderation:alcohol use", "moderation:alcohol", "text:grusse", "rule:people outside",
    }  # fmt: skip


def test_confidences_are_packed_without_rounding_up() -> None:
    terms = [IndexedTerm("label:a", 79.999), IndexedTerm("label:b", 80.0), IndexedTerm("status:x", None)]
    assert list(unpack(pack(terms)).values()) == [79.99, 80.0, 100.0]


def test_an_image_of_very_many_terms_keeps_what_is_certain() -> None:
    found = record({f"label {n}": 50 + n / 100 for n in range(2_000)})
    names = [term.name for term in terms_of(found)]
    assert len(names) == MAX_TERMS
    assert {"all", "status:analyzed", "source:gate 1", "label:label 1999"} <= set(names)
    assert typed("label", "label 0") not in names


def test_the_page_size_is_the_number_of_images_and_no_image_comes_twice() -> None:
    library = Library()
    for number in range(30):
        library.add(f"{number:02}", record({"car": 90.0, "person": 80.0, "cat": 70.0}), moment(number % 5))
    query = parse("car or person or cat")
    page: Page = search(plan(query, library.count), library, 7, 0)
    assert len({row.image_id for row in page.rows}) == 7
    assert sorted(all_pages(library, query, 7)) == sorted(library.images)
