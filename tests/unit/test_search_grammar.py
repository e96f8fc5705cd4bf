"""The query language: what people write, what it means, its canonical form, and the position of a mistake."""

from __future__ import annotations

import calendar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewatch.errors import InvalidQuery
from imagewatch.search import cursor
from imagewatch.search.evaluation import matches
from imagewatch.search.grammar import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, parse
from imagewatch.search.index import Row
from imagewatch.search.planner import plan
from imagewatch.search.query import And, Node, Not, Or, Query, Taken, Term, TimeOfDay, conjunction, disjunction
from imagewatch.search.render import render
from imagewatch.text import comparable

PERSON, CAR, NIGHT = Term("person"), Term("car"), Term("night")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", None),
        ("   ", None),
        ("person", PERSON),
        ("Person", PERSON),
        ("person:90", Term("person", min_confidence=90)),
        ("person:99.5", Term("person", min_confidence=99.5)),
        ("person:90%", Term("person", min_confidence=90)),
        ("person:0", Term("person", min_confidence=0)),
        ('"traffic light"', Term("traffic light")),
        ('"Traffic-Light":90', Term("traffic light", min_confidence=90)),
        ("traffic-light", Term("traffic light")),
        ("person car", And((PERSON, CAR))),
        ("person and car", And((PERSON, CAR))),
        ("person AND car Or night", Or((And((PERSON, CAR)), NIGHT))),
        ("person or car night", Or((PERSON, And((CAR, NIGHT))))),
        ("person not night", And((PERSON, Not(NIGHT)))),
        ("person -night", And((PERSON, Not(NIGHT)))),
        ("not (person or car)", Not(Or((PERSON, CAR)))),
        ("not not person", PERSON),
        ("((person))", PERSON),
        ("(person and car) and night", And((PERSON, CAR, NIGHT))),
        ('person and (car or "traffic light":90) not night',
         And((PERSON, Or((CAR, Term("traffic light", min_confidence=90))), Not(NIGHT)))),
        ("café", Term("cafe")),
        ("cafe\u0301", Term("cafe")),
        ("STRASSE or straße", Or((Term("strasse"), Term("strasse")))),
        ('"and"', Term("and")),
        ('"say \\"cheese\\""', Term("say cheese")),
        ("text:visitors", Term("visitors", "text")),
        ('text:"no parking":80', Term("no parking", "text", 80)),
        ("TEXT:Visitors:80", Term("visitors", "text", 80)),
        ("moderation:explicit", Term("explicit", "moderation")),
        ("category:animals", Term("animals", "category")),
        ("source:gate-2", Term("gate 2", "source")),
        ("rule:person-at-the-door", Term("person at the door", "rule")),
        ("status:failed", Term("failed", "status")),
        ("taken:2026", Taken("2026-01-01", "2026-12-31")),
        ("taken:2026-02", Taken("2026-02-01", "2026-02-28")),
        ("taken:2024-02..2024-02", Taken("2024-02-01", "2024-02-29")),
        ("taken:2026-05..2026-07", Taken("2026-05-01", "2026-07-31")),
        ("taken:2026-05-17..", Taken("2026-05-17", "")),
        ("taken:..2026-05-17", Taken("", "2026-05-17")),
        ("time:22:00-06:00", TimeOfDay(22 * 60, 6 * 60)),
        ("time:7:05-24:00", TimeOfDay(7 * 60 + 5, 24 * 60)),
        ("日本", Term("日本")),
    ],
)  # fmt: skip
def test_a_query_means_what_it_says(text: str, where: Node | None) -> None:
    assert parse(text) == Query(where)


def test_the_order_can_be_anywhere() -> None:
    for text in ("sort:confidence person", "person sort:Confidence", "(person sort:confidence)"):
        assert parse(text) == Query(PERSON, "confidence")
    assert parse("sort:oldest") == Query(None, "oldest")


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("person and", 7, "Nothing follows"),
        ("person or or car", 7, "Nothing follows"),
        ("or car", 0, "There is nothing before"),
        ("person (car", 7, "never closed"),
        ("person)", 6, "closes nothing"),
        ("person ()", 7, "nothing between"),
        ('person "traffic light', 7, "quotation mark"),
        ("not", 0, "Nothing follows"),
        ("person:101", 7, "0 to 100"),
        ("person:0.9", 7, "percentage: write 90"),
        ("person:1", 7, "percentage: write 100"),
        ("colour:red", 0, "is not a field"),
        ("source:", 0, "Nothing follows"),
        ("source:gate:80", 0, "is not"),
        ("status:done", 7, "is not a status"),
        ("car sort:size", 9, "is not an order"),
        ("sort:oldest sort:newest", 12, "given twice"),
        ("taken:2026-02-30", 6, "does not exist"),
        ("taken:2026-13", 6, "does not exist"),
        ("taken:yesterday", 6, "is not a day"),
        ("taken:2026-07..2026-05", 6, "is after"),
        ("taken:..", 6, "at least one side"),
        ("time:22:00", 5, "is not a time of day"),
        ("time:25:00-26:00", 5, "is not a time of day"),
        ("time:08:00-08:00", 5, "same minute"),
        ("car !!", 4, "no letter and no digit"),
        ("not sort:oldest", 0, "needs a term"),
    ],
)
def test_a_mistake_is_named_at_its_character(text: str, position: int, words: str) -> None:
    if text == "source:gate:80":
        assert parse(text) == Query(Term("gate 80", "source"))  # a source has no confidence; its name may have a colon
        return
    with pytest.raises(InvalidQuery) as raised:
        parse(text)
    assert (raised.value.position, words in str(raised.value)) == (position, True), str(raised.value)
    query, caret, _ = raised.value.pointing_into(text).split("\n")
    assert caret.index("^") == position
    assert query == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        " ".join(f"term{n}" for n in range(500))[:MAX_LENGTH],
        "(" * 200 + "a" + ")" * 200,
        "not " * 400 + "a",
        '"' * 501,
    ],
)
def test_a_query_beyond_the_limits_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery):
        parse(text)


def test_the_limits_themselves_are_allowed() -> None:
    assert len(list(parse(" ".join("a" for _ in range(MAX_TERMS))).terms())) == MAX_TERMS
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == Query(Term("a"))


NAMES = st.text(min_size=1, max_size=12).map(comparable).filter(bool)
DAYS = st.dates().map(lambda day: day.isoformat()).filter(lambda day: day >= "1000")
CONFIDENCES = st.none() | st.just(0.0) | st.integers(2, 100).map(float) | st.floats(1.01, 99.99).map(lambda n: round(n, 4))
TERMS = st.one_of(
    st.builds(Term, NAMES, st.sampled_from(["label", "category", "moderation", "text"]), CONFIDENCES),
    st.builds(Term, NAMES, st.sampled_from(["source", "rule"])),
    st.builds(Term, st.sampled_from(["analyzing", "analyzed", "rejected", "failed"]), st.just("status")),
    st.tuples(DAYS, DAYS).map(lambda days: Taken(min(days), max(days))),
    DAYS.map(lambda day: Taken(day, "")),
    DAYS.map(lambda day: Taken("", day)),
    st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda t: t[0] != t[1]).map(lambda t: TimeOfDay(*t)),
)
NODES = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.filter(lambda node: not isinstance(node, Not)).map(Not),
        st.lists(inner, min_size=2, max_size=4).map(conjunction),
        st.lists(inner, min_size=2, max_size=4).map(disjunction),
    ),
    max_leaves=12,
)


@given(st.builds(Query, st.none() | NODES, st.sampled_from(["newest", "oldest", "confidence"])))
def test_the_canonical_form_means_the_same(query: Query) -> None:
    text = render(query)
    assert parse(text) == query
    assert render(parse(text)) == text


@given(st.text(alphabet=st.sampled_from('abAB09 ()":.-_%\\\n\tä,notrd'), max_size=80))
def test_any_text_is_a_query_or_a_mistake_with_a_place(text: str) -> None:
    try:
        query = parse(text)
    except InvalidQuery as mistake:
        assert 0 <= mistake.position <= len(text)
        assert str(mistake).endswith((".", "0."))
    else:
        assert parse(render(query)) == query


def test_the_last_day_of_every_month_is_included() -> None:
    for month in range(1, 13):
        last = calendar.monthrange(2028, month)[1]
        assert parse(f"taken:2028-{month:02}").where == Taken(f"2028-{month:02}-01", f"2028-{month:02}-{last}")


HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            ["(", ")", '"', "\\", ":", "..", "-", "--", "and", "or", "not", "NOT", "taken:", "time:", "sort:", "label:",
             "status:", "person", "9999-12-31", "0000", "2026-02-30", "24:00-00:00", "1e400", "nan", "inf", "-0",
             "100.0000001", "٣", "½",
             "\u202e", "\ufeff", "\x00", "\ud800", "e\u0301", "ﬀ", "ẞ", "İ", "\U0001f468\u200d\U0001f469"]
        ),
        st.text(st.characters(), max_size=5),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=400)
@given(HOSTILE, st.sampled_from(["", " ", "\t"]))
def test_hostile_queries_are_read_or_refused_and_never_fail_otherwise(parts: list[str], between: str) -> None:
    text = between.join(parts)
    try:
        query = parse(text)
    except InvalidQuery as mistake:
        assert 0 <= mistake.position <= len(text)
        assert len(mistake.pointing_into(text).split("\n")) >= 3
        return
    assert parse(render(query)) == query
    row = Row("a", "2026-01-01T00:00:00.000Z", 0, 100.0, b"")
    plan(query, lambda _: 0)
    assert matches(query.where, row, 50.0) in (True, False)
    cursor.read(cursor.write(row.by_time, query, "operators", 50.0, b"key"), query, "operators", 50.0, b"key")
