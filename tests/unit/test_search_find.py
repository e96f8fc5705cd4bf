"""Searches of a library in memory: pages, cursors, what is hidden, and suggestions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewatch.errors import InvalidCursor, InvalidQuery
from imagewatch.search.find import MAX_SIZE, Results, Search, days, find, vocabulary
from imagewatch.search.grammar import parse
from imagewatch.search.planner import MAX_ROWS, Window
from imagewatch.search.ranking import SPAN_ROWS
from tests.search_library import (
    IMAGES,
    SECRET,
    TEXTS,
    Image,
    MemoryLibrary,
    every_page,
    image_of,
    moment,
    plainly,
    record_of,
)

ORDERS = st.sampled_from(["newest", "oldest", "confidence"])


def search(library: MemoryLibrary, text: str, **asked: object) -> Results:
    return find(library, Search(text, **asked), lambda: SECRET)  # type: ignore[arg-type]


def library_of(images: list[Image]) -> MemoryLibrary:
    library = MemoryLibrary()
    for number, image in enumerate(images):
        library.add(*image_of(number, image))
    return library


@settings(max_examples=200)
@given(IMAGES, TEXTS, ORDERS, st.integers(1, 7), st.sampled_from([0.0, 60.0, 90.0]), st.booleans())
def test_all_pages_have_what_a_look_at_every_image_finds(
    images: list[Image], text: str, order: str, size: int, confidence: float, sorts: bool
) -> None:
    library, text = library_of(images), f"({text}) sort:{order}"
    library.sorted = sorts
    assert every_page(library, Search(text, confidence, size)) == plainly(library.images, parse(text), confidence)


@settings(max_examples=150)
@given(IMAGES, TEXTS, ORDERS, st.integers(1, 5), st.booleans(), st.data())
def test_results_stay_stable_while_images_come_and_go(
    images: list[Image], text: str, order: str, size: int, sorts: bool, data: st.DataObject
) -> None:
    library, text = library_of(images), f"({text}) sort:{order}"
    library.sorted = sorts
    expected, found, cursor, arrived = plainly(library.images, parse(text)), list[str](), "", 0
    while cursor is not None:
        page = search(library, text, size=size, cursor=cursor)
        found += [match.image_id for match in page.matches]
        cursor = page.cursor
        if arrived < 5:
            library.add(f"new{arrived}", record_of({"Person": 99.5, "Car": 99.5}), moment(90 * 24 * 60 + arrived))
            arrived += 1
        if waiting := [image for image in expected if image in library.images and image not in found]:
            library.remove(data.draw(st.sampled_from(waiting)), rows_stay=data.draw(st.booleans()))
    old = [image for image in found if not image.startswith("new")]
    assert len(found) == len(set(found))
    assert old == [image for image in expected if image in old]
    assert {image for image in expected if image in library.images} <= set(old)


@given(IMAGES, TEXTS, st.sampled_from([60.0, 80.0, 90.0]))
def test_the_hidden_images_are_those_that_some_lower_confidence_would_show(
    images: list[Image], text: str, confidence: float
) -> None:
    library, query = library_of(images), parse(text)
    shown = set(plainly(library.images, query, confidence))
    lower = set().union(
        *(plainly(library.images, query, level) for level in (0, 40, 55.5, 79.99, 80, 97.2) if level < confidence)
    )
    page = search(library, text, min_confidence=confidence, size=MAX_SIZE)
    assert (page.hidden, page.hidden_exact) == (len(lower - shown), True)


def test_a_row_whose_image_is_gone_neither_shortens_the_page_nor_ends_the_results() -> None:
    library = MemoryLibrary()
    for number in range(120):
        library.add(f"{number:03}", record_of({"Person": 90.0}), moment(number))
    for number in range(20, 119):
        library.remove(f"{number:03}", rows_stay=True)
    page = search(library, "person", size=10)
    assert [match.image_id for match in page.matches] == ["119", *(f"{n:03}" for n in range(19, 10, -1))]
    assert page.cursor is not None
    assert not page.cut_short
    assert len(search(library, "person", size=10, cursor=page.cursor).matches) == 10


def test_a_row_of_an_earlier_analysis_is_not_shown() -> None:
    library = MemoryLibrary()
    library.add("a", record_of({"Person": 90.0}), moment(1))
    row, _ = library.images["a"]
    library.images["a"] = (row, record_of({"Cat": 90.0}))
    assert search(library, "person").matches == []


def test_a_page_that_was_cut_short_says_how_far_it_looked_and_goes_on() -> None:
    library = MemoryLibrary()
    for number in range(2 * MAX_ROWS + 500):
        library.add(f"{number:05}", record_of({"Car" if number % 2 else "Person": 90.0}), moment(number))
    library.add("meet", record_of({"Car": 90.0, "Person": 90.0}), "2025-01-01T00:00:00.000Z")
    page = search(library, "car and person")
    assert (page.matches, page.cut_short, page.rows_read <= MAX_ROWS) == ([], True, True)
    assert moment(0) < page.reached < moment(2 * MAX_ROWS + 500)
    assert page.cursor is not None
    again = search(library, "car and person", cursor=page.cursor)
    assert [match.image_id for match in again.matches] == ["meet"]
    assert (again.cursor, again.cut_short, again.reached) == (None, False, "")


def test_the_last_page_has_no_cursor_even_if_it_is_full() -> None:
    library = MemoryLibrary()
    for number in range(10):
        library.add(f"{number}", record_of({"Car": 90.0}), moment(number))
    page = search(library, "car", size=5)
    assert page.cursor is not None
    assert search(library, "car", size=5, cursor=page.cursor).cursor is None


@pytest.mark.parametrize(
    ("change", "value"),
    [("text", "car"), ("min_confidence", 81.0), ("text", "person sort:oldest")],
)
def test_a_cursor_of_another_search_is_refused(change: str, value: object) -> None:
    library = library_of([({"Person": 90.0, "Car": 90.0}, number, "ANALYZED", "gate-1", 0) for number in range(9)])
    asked = {"text": "person", "min_confidence": 80.0}
    page = search(library, size=2, **asked)  # type: ignore[arg-type]
    with pytest.raises(InvalidCursor, match="does not belong to this search"):
        search(library, size=2, **{**asked, "cursor": page.cursor, change: value})  # type: ignore[arg-type]


def test_a_cursor_of_another_viewer_is_refused() -> None:
    library = library_of([({"Person": 90.0}, number, "ANALYZED", "gate-1", 0) for number in range(9)])
    page = search(library, "person", size=2)
    library.viewer = "someone else"
    with pytest.raises(InvalidCursor):
        search(library, "person", size=2, cursor=page.cursor)


def test_a_window_is_part_of_the_cursor() -> None:
    library = library_of([({"Person": 90.0}, 60 * number, "ANALYZED", "gate-1", 0) for number in range(10)])
    window = Window(moment(120), moment(480))
    page = search(library, "person", size=4, window=window)
    assert [match.taken_at for match in page.matches] == [moment(60 * n) for n in (7, 6, 5, 4)]
    rest = search(library, "person", size=4, cursor=page.cursor)
    assert [match.taken_at for match in rest.matches] == [moment(60 * n) for n in (3, 2)]
    assert rest.cursor is None
    ordered = search(library, "person sort:confidence", size=9, window=window)
    assert len(ordered.matches) == 6


def test_days_are_those_at_the_place() -> None:
    library = MemoryLibrary()
    library.add("auckland", record_of({"Car": 90.0}), "2026-05-16T11:30:00.000Z", minute=30)  # 17 May, 00:30, +13:00
    library.add("honolulu", record_of({"Car": 90.0}), "2026-05-18T09:30:00.000Z", minute=23 * 60 + 30)  # 17 May, -10:00
    library.add("utc", record_of({"Car": 90.0}), "2026-05-17T12:00:00.000Z")
    for text in ("car and taken:2026-05-17", "car taken:2026-05-17..2026-05-17 sort:oldest", "taken:2026-05-17 sort:confidence"):
        assert {match.image_id for match in search(library, text).matches} == {"auckland", "honolulu", "utc"}
    assert search(library, "car and taken:2026-05-16").matches == []
    assert search(library, "car and taken:2026-05-18").matches == []
    assert [match.image_id for match in search(library, "time:23:00-01:00").matches] == ["honolulu", "auckland"]
    assert [(one.day, one.images) for one in days(library, "2026-05-01", "2026-05-31")] == [("2026-05-17", 3)]


@pytest.mark.parametrize(
    "text", ["taken:0001", "taken:9999", "taken:0001..9999", "taken:9999-12-31", "taken:..9999", "taken:0001.."]
)
def test_days_at_the_ends_of_the_calendar_can_be_searched(text: str) -> None:
    library = library_of([({"Person": 90.0}, 1, "ANALYZED", "gate-1", 0)])
    assert len(search(library, text).matches) == (".." in text)


@given(st.dates(date(1950, 1, 1), date(2100, 1, 1)), st.integers(0, 1439), st.integers(-659, 780))
def test_the_day_at_the_place_follows_from_the_rows_two_times(day: date, minute: int, offset: int) -> None:
    library = MemoryLibrary()
    total = minute - offset
    taken = f"{day + timedelta(days=total // 1440)}T{total % 1440 // 60:02}:{total % 60:02}:59.000Z"
    library.add("a", record_of({}), taken, minute)
    assert [one.day for one in days(library, "", "9")] == [day.isoformat()]
    assert len(search(library, f"taken:{day}").matches) == 1


def test_the_matched_terms_have_their_names_and_confidences() -> None:
    library = MemoryLibrary()
    record = record_of({"Traffic Light": 91.5, "Person": 70.0, "Car": 95.0}, source="gate-2")
    record["MatchedRules"] = [{"RuleId": "people", "Name": "People at the gate"}]
    library.add("a", record, moment(1))
    (match,) = search(
        library, '"traffic light" and (person or car) not cat and source:gate-2 rule:people', min_confidence=80
    ).matches
    found = [(term.field, term.name, term.confidence) for term in match.found]
    assert found == [
        ("source", "gate-2", None),
        ("rule", "people", None),
        ("label", "Car", 95.0),
        ("label", "Traffic Light", 91.5),
    ]


@pytest.mark.parametrize(
    ("text", "term", "suggestions"),
    [
        ("persn", "persn", ("person",)),
        ("not persn and car", "persn", ("person",)),
        ('"trafic light"', '"trafic light"', ('"traffic light"',)),
        ("light", "light", ('"traffic light"',)),
        ("source:gate-9", "source:gate-9", ("source:gate-1",)),
        ("gate", "gate", ()),
        ("label:visitors", "visitors", ("text:visitors",)),
        ("xylophone", "xylophone", ()),
    ],
)
def test_a_name_that_nothing_has_gets_suggestions(text: str, term: str, suggestions: tuple[str, ...]) -> None:
    library = MemoryLibrary()
    record = record_of({"Person": 90.0, "Traffic Light": 80.0, "Car": 80.0})
    record["Text"] = [{"Text": "VISITORS", "Confidence": 99.0}]
    library.add("a", record, moment(1))
    assert [(one.term, one.suggestions) for one in search(library, text).unknown] == [(term, suggestions)]


def test_known_names_and_statuses_get_no_suggestions() -> None:
    library = library_of([({"Person": 90.0}, 1, "ANALYZED", "gate-1", 0)])
    assert search(library, "person and status:failed and source:gate-1 and taken:2026").unknown == ()


def test_an_owner_never_sees_counts_or_infers_anothers_images() -> None:
    """Each viewer has a separate library; this shows that nothing else reaches the results."""
    mine, theirs = MemoryLibrary("mine"), MemoryLibrary("theirs")
    mine.add("m", record_of({"Cat": 90.0}), moment(1))
    for number in range(20):
        theirs.add(f"t{number}", record_of({"Person": 60.0, "Cat": 60.0}), moment(number))
    page = search(mine, "person or cat", min_confidence=80)
    assert [match.image_id for match in page.matches] == ["m"]
    assert (page.hidden, page.rows_read) == (0, 1)
    assert [one.suggestions for one in search(mine, "persn").unknown] == [()]
    assert [one.name for one in vocabulary(mine)] == ["Cat"]
    stolen = search(theirs, "cat", size=1).cursor
    with pytest.raises(InvalidCursor):
        search(mine, "cat", size=1, cursor=stolen)


def test_labels_are_listed_by_prefix_in_any_case() -> None:
    library = library_of([({"Traffic Light": 90.0, "Person": 50.0}, number, "ANALYZED", "gate-1", 0) for number in range(3)])
    assert [(one.name, one.images) for one in vocabulary(library, "TRA")] == [("Traffic Light", 3)]
    assert [one.term for one in vocabulary(library, field="source")] == ["source:gate 1"]


@pytest.mark.parametrize("asked", [{"size": 0}, {"size": MAX_SIZE + 1}, {"min_confidence": -1}, {"min_confidence": 101}])
def test_impossible_sizes_and_confidences_are_refused(asked: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="A page has"):
        search(MemoryLibrary(), "person", **asked)


def test_the_order_by_confidence_of_several_terms_is_that_of_the_highest() -> None:
    library = MemoryLibrary()
    for name, labels in {"a": {"Person": 60.0, "Car": 99.0}, "b": {"Person": 80.0}, "c": {"Car": 70.0, "Person": 65.0}}.items():
        library.add(name, record_of(labels), moment(ord(name)))
    assert every_page(library, Search("(person or car) sort:confidence", size=1)) == ["a", "b", "c"]
    assert every_page(library, Search("status:analyzed and person sort:confidence", size=1)) == ["b", "c", "a"]
    assert every_page(library, Search("not cat sort:confidence", size=1)) == ["c", "b", "a"]


def test_in_the_order_of_confidence_reading_stops_below_the_wanted_confidence() -> None:
    library = MemoryLibrary()
    for number in range(3_000):
        library.add(f"{number:04}", record_of({"Person": 95.0 if number < 30 else 50.0}), moment(number))
    page = search(library, "person sort:confidence", min_confidence=90)
    assert (len(page.matches), page.cursor, page.cut_short, page.hidden_exact) == (30, None, False, False)
    assert page.rows_read <= 600
    assert 400 <= page.hidden <= 600


@pytest.fixture
def no_secret() -> Callable[[], bytes]:
    def secret() -> bytes:
        raise AssertionError("A page without cursors needs no secret.")

    return secret


def test_a_search_of_one_page_needs_no_secret(no_secret: Callable[[], bytes]) -> None:
    library = library_of([({"Person": 90.0}, 1, "ANALYZED", "gate-1", 0)])
    assert len(find(library, Search("person"), no_secret).matches) == 1


def test_a_mistake_is_raised_before_anything_is_read() -> None:
    library = MemoryLibrary()
    with pytest.raises(InvalidQuery):
        search(library, "person and (")
    assert library.reads == []


def test_without_postings_in_the_order_of_confidence_older_spans_follow() -> None:
    library = MemoryLibrary(sorted=False)
    for number in range(SPAN_ROWS + 600):
        library.add(f"{number:05}", record_of({"Person": 50.0 + number % 50}), moment(number))
    asked = Search("person:98.5 sort:confidence", size=60)
    first = find(library, asked, lambda: SECRET)
    assert (len(first.matches), first.cut_short) == (60, False)
    library.add("late", record_of({"Person": 99.5}), moment(SPAN_ROWS + 601))
    library.add("between", record_of({"Person": 10.0}), moment(SPAN_ROWS))
    second = find(library, replace(asked, cursor=first.cursor or ""), lambda: SECRET)
    assert (len(second.matches), second.cut_short, second.reached) == (30, True, moment(600))
    third = find(library, replace(asked, cursor=second.cursor or ""), lambda: SECRET)
    assert (len(third.matches), third.cursor) == (12, None)
    found = [match.image_id for page in (first, second, third) for match in page.matches]
    assert sorted(found) == [f"{number:05}" for number in range(SPAN_ROWS + 600) if number % 50 == 49]
    assert all(page.rows_read <= MAX_ROWS for page in (first, second, third))


def test_a_span_that_grew_beyond_the_limit_loses_nothing() -> None:
    library = MemoryLibrary(sorted=False)
    for number in range(SPAN_ROWS + 100):
        library.add(f"{number:05}", record_of({"Person": 60.0 + number % 10}), moment(number))
    asked = Search("person:68.5 sort:confidence", size=400)
    page = find(library, asked, lambda: SECRET)
    for number in range(700):
        library.add(f"new{number}", record_of({"Person": 10.0}), moment(SPAN_ROWS - 100))
    found = {match.image_id for match in page.matches}
    for _ in range(20):
        if page.cursor is None:
            break
        page = find(library, replace(asked, cursor=page.cursor), lambda: SECRET)
        found |= {match.image_id for match in page.matches}
    assert page.cursor is None
    assert found == {f"{number:05}" for number in range(SPAN_ROWS + 100) if number % 10 == 9}


def test_a_name_that_was_found_and_is_not_counted_yet_is_known() -> None:
    library = MemoryLibrary()
    library.add("a", record_of({"Person": 90.0}), moment(1))
    library.counts = lambda terms: {}  # type: ignore[method-assign]
    page = search(library, "person not night")
    assert ([match.image_id for match in page.matches], [one.term for one in page.unknown]) == (["a"], ["night"])


@pytest.mark.parametrize("text", ["car and not person", "car or person", "not person", "person:99.9 and car"])
def test_a_name_that_is_not_counted_yet_and_not_found_either_is_known(text: str) -> None:
    """Counts are some minutes old: what a posting has is there."""
    library = MemoryLibrary()
    library.add("a", record_of({"Car": 99.0}), moment(1))
    library.add("b", record_of({"Person": 98.0}), moment(2))
    library.counts = lambda terms: {}  # type: ignore[method-assign]
    assert search(library, text).unknown == ()
    assert [one.term for one in search(library, f"({text}) or zebra").unknown] == ["zebra"]
