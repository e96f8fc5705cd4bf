"""Cursors go on where a page ended, for one viewer and one query only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.errors import InvalidQuery
from imagewatch.search import cursor
from imagewatch.search.grammar import parse

SECRET, PLACE = b"a secret of this deployment", ("2026-11-20T12:00:00.000Z", "0068985115087cf1792dd7292ed05d97")
QUERY = parse("person and not night")


def test_a_cursor_leads_to_its_place() -> None:
    text = cursor.write(PLACE, QUERY, "operators", 80.0, SECRET)
    assert cursor.read(text, parse("PERSON  not night"), "operators", 80.0, SECRET) == PLACE
    by_confidence = (97.25, *PLACE)
    text = cursor.write(by_confidence, QUERY, "operators", 80.0, SECRET)
    assert cursor.read(text, QUERY, "operators", 80.0, SECRET) == by_confidence


def test_a_cursor_shows_no_key_and_is_another_text_each_time() -> None:
    texts = {cursor.write(PLACE, QUERY, "operators", 80.0, SECRET) for _ in range(20)}
    assert len(texts) == 20
    for text in texts:
        assert "2026" not in text
        assert "AAAA" not in text
        assert text.isascii()
        assert len(text) < cursor.MAX_LENGTH


@pytest.mark.parametrize(
    ("query", "viewer", "confidence", "secret"),
    [
        ("person", "operators", 80.0, SECRET),
        ("person and not night sort:oldest", "operators", 80.0, SECRET),
        ("person and not night", "someone else", 80.0, SECRET),
        ("person and not night", "operators", 81.0, SECRET),
        ("person and not night", "operators", 80.0, b"another secret"),
    ],
)
def test_a_cursor_of_another_search_is_refused(query: str, viewer: str, confidence: float, secret: bytes) -> None:
    text = cursor.write(PLACE, QUERY, "operators", 80.0, SECRET)
    with pytest.raises(InvalidQuery, match="does not belong to this search"):
        cursor.read(text, parse(query), viewer, confidence, secret)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_cursor_is_refused(at: int, change: int) -> None:
    text = cursor.write(PLACE, QUERY, "operators", 80.0, SECRET)
    at %= len(text)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = alphabet[(alphabet.index(text[at]) + change) % 64]
    changed = text[:at] + other + text[at + 1 :]
    try:
        place = cursor.read(changed, QUERY, "operators", 80.0, SECRET)
    except InvalidQuery:
        return
    assert place == PLACE, "only unused bits of the last character may differ"
    assert changed == text or at == len(text) - 1


@given(st.text(max_size=600))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(InvalidQuery):
        cursor.read(text, QUERY, "operators", 80.0, SECRET)
