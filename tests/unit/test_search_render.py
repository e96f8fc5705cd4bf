"""How results of a search read at the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from rich.console import Console

from imagewatch.errors import InvalidQuery
from imagewatch.search.find import Match, Results, Search, find
from imagewatch.search.found import FoundTerm
from imagewatch.search.suggestions import Unknown
from tests.search_library import SECRET, MemoryLibrary, moment, record_of
from uploader.search.render import cell, csv_text, document, notes, results_table


def results(*matches: Match, **changes: Any) -> Results:
    values = {
        "query": "person", "matches": matches, "cursor": None, "cut_short": False, "reached": "", "reached_confidence": None,
        "hidden": 0, "hidden_exact": True, "unknown": (), "rows_read": len(matches),
    }  # fmt: skip
    return Results(**{**values, **changes})


def match(key: str = "uploads/gate-1/a.jpg", *found: FoundTerm, source: str = "gate-1") -> Match:
    record = record_of({"Person": 99.96, "Car": 60.0}, key=key, source=source)
    return Match("a" * 32, "2026-11-20T16:05:30.000Z", record, found)


def page(record: Any) -> str:
    return f"https://example.com/{record['Key']}"


def printed(found: Results, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(results_table(found, page))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_shows_time_source_matched_terms_and_the_page() -> None:
    shown = printed(results(match("uploads/gate-1/a.jpg", FoundTerm("label", "Person", 99.96), FoundTerm("rule", "gate", None))))
    for part in ("2026-11-20 16:05", "gate-1", "Person 99.9 %, rule: gate", "uploads/gate-1/a.jpg", "https://example.com/"):
        assert part in shown


def test_without_a_term_the_best_labels_are_shown() -> None:
    assert "Person 99.9 %, Car 60 %" in printed(results(match()))


def test_a_narrow_terminal_gets_lines_and_no_control_characters() -> None:
    shown = printed(results(match("uploads/gate-1/\x1b[31mred.jpg")), width=60)
    assert "2026-11-20 16:05" in shown
    assert "\x1b[31mred" not in shown


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"hidden": 1}, "1 image is hidden below 80 %."),
        ({"hidden": 1200, "hidden_exact": False}, "At least 1,200 images are hidden below 80 %."),
        ({"hidden": 2, "cursor": "C"}, "2 images are hidden below 80 % in this part of the results."),
        (
            {"cut_short": True, "reached": "2026-11-20T16:05:30.000Z", "cursor": "C"},
            "The search stopped after 5,000 index rows, at 2026-11-20 16:05 UTC. There may be more images.",
        ),
        (
            {"cut_short": True, "reached": "2026-11-20T16:05:30.000Z", "reached_confidence": 71.28, "cursor": "C"},
            "The search stopped after 5,000 index rows, at a confidence of 71.2 %. There may be more images.",
        ),
        ({"cursor": "C"}, "Next page: imagewatch search person --after C"),
        ({"unknown": (Unknown("persn", ("person",)),)}, "No image has persn. Did you mean person?"),
        ({"unknown": (Unknown("x", ("y", "text:x")),)}, "No image has x. Did you mean y or text:x?"),
        ({"unknown": (Unknown("xyz", ()),)}, "No image has xyz."),
    ],
)
def test_notes_say_what_a_page_does_not_show(changes: dict[str, Any], line: str) -> None:
    assert line in list(notes(results(**changes), 80.0, "imagewatch search person"))


def test_a_complete_page_has_no_notes() -> None:
    assert list(notes(results(match()), 80.0, "")) == []


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "=cmd|' /C calc'!A0",
    ],
)
def test_no_cell_of_the_csv_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    rows = list(csv.DictReader(io.StringIO(csv_text(results(match(text, source=text)), page, lambda _: ""))))
    assert (rows[0]["key"], rows[0]["source"]) == (f"'{text}", f"'{text}")


@pytest.mark.parametrize("text", ["uploads/a.jpg", "a=b", "", "2026-11-20T16:05:30.000Z", "'x"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_commas_quotes_and_line_breaks_survive_in_csv() -> None:
    key = 'uploads/a "b", c\nd.jpg'
    rows = list(csv.DictReader(io.StringIO(csv_text(results(match(key)), page, lambda _: ""))))
    assert [row["key"] for row in rows] == [key]


def test_the_document_has_everything_for_scripts() -> None:
    library = MemoryLibrary()
    for number in range(3):
        library.add(f"{number}", record_of({"Person": 90.0 - 20 * number}), moment(number))
    found = find(library, Search("person", 60, 1), lambda: SECRET)
    shown = document(found, page, lambda _: "https://example.com/thumbnail")
    assert shown["images"][0]["found"] == [{"field": "label", "name": "Person", "confidence": 70.0}]
    assert shown["images"][0]["thumbnail"] == "https://example.com/thumbnail"
    assert (shown["query"], shown["hidden"], shown["next"]) == ("person", 1, found.cursor)


@pytest.mark.parametrize(
    ("query", "position", "columns"),
    [("person and (", 11, 11), ("日本 and (", 7, 9), ("e\u0301t and (", 8, 7), ("a\x1bb and (", 8, 8), ("a\tb and (", 8, 8)],
)
def test_the_caret_is_below_the_character_at_a_terminal(query: str, position: int, columns: int) -> None:
    shown, caret, message = InvalidQuery("Here.", position).pointing_into(query).split("\n")
    assert (caret, message) == (" " * columns + "^", "Here.")
    assert shown.isprintable()
