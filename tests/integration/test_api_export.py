"""Api Export: rows as CSV and JSON, page by page; no cell is a formula."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from imagewatch.api.spreadsheet import to_csv
from imagewatch.aws import cursor_secret
from tests.api_events import OTHER_SUB, SUB

from .api import OPERATORS, Reply, call
from .api_images import analysed, label
from .conftest import Stack


@pytest.fixture(autouse=True)
def images(stack: Stack) -> None:
    cursor_secret.read.cache_clear()
    analysed(stack, f"people/{SUB}/aa/=cmd|' calc'!A0.jpg", label("Person", 99.5), label("Car", 50.0), minute=1)
    analysed(stack, f'people/{SUB}/bb/caf\u00e9, "quoted".jpg', label("Car", 80.0), minute=2)
    analysed(stack, f"people/{OTHER_SUB}/aa/theirs.jpg", label("Car", 80.0), minute=3)


def ask(stack: Stack, user: Any = None, **query: Any) -> Reply:
    return call(stack, "GET", "/export", query, user=user)


def rows(reply: Reply) -> list[dict[str, str]]:
    assert reply.status == 200, reply.body
    assert reply.body.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(reply.body.removeprefix("\ufeff"), newline="")))


def test_csv_has_a_row_for_each_image_that_the_search_finds(stack: Stack) -> None:
    reply = ask(stack, q="car", min_confidence="60")
    (row,) = rows(reply)
    assert row["Name"] == 'caf\u00e9, "quoted".jpg'
    assert (row["Labels"], row["Width"], row["Status"]) == ("Car 80", "512", "ANALYZED")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="images.csv"'
    assert len(rows(ask(stack, OPERATORS, q="car"))) == 3


def test_a_name_that_a_spreadsheet_could_run_is_text(stack: Stack) -> None:
    names = [row["Name"] for row in rows(ask(stack, q="person"))]
    assert names == ["'=cmd|' calc'!A0.jpg"]


def test_json_has_the_same_rows_unchanged(stack: Stack) -> None:
    (row,) = ask(stack, q="person", format="json").body["Images"]
    assert (row["Name"], row["Labels"]) == ("=cmd|' calc'!A0.jpg", "Person 99.5; Car 50")


def test_pages_follow_each_other(stack: Stack) -> None:
    first = ask(stack, limit=1)
    following = dict(parse_qsl(urlsplit(first.headers["Link"].partition(">")[0].removeprefix("<")).query))
    assert first.headers["Link"].endswith('>; rel="next"')
    last = ask(stack, **following)
    assert [row["Name"][:4] for row in rows(first) + rows(last)] == ["caf\u00e9", "'=cm"]
    assert "Link" not in last.headers
    page = ask(stack, limit=1, format="json").body
    assert "NextCursor" not in ask(stack, limit=1, format="json", cursor=page["NextCursor"]).body


def test_the_rules_are_a_column_for_operators_only(stack: Stack) -> None:
    assert "MatchedRules" not in ask(stack).body
    assert "MatchedRules" in ask(stack, OPERATORS).body


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "=", '="a,b"'],
)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    ((cell,),) = list(csv.reader(io.StringIO(to_csv(["Name"], [[text]]).removeprefix("\ufeff"), newline="")))[1:]
    assert cell == f"'{text}"


@pytest.mark.parametrize(("value", "cell"), [(-5, "-5"), (1.5, "1.5"), (None, ""), ("a=b", "a=b"), ("", ""), ("a\nb", "a\nb")])
def test_other_cells_stay_as_they_are(value: Any, cell: str) -> None:
    (row,) = list(csv.reader(io.StringIO(to_csv(["A", "B"], [[value, "x"]]).removeprefix("\ufeff"), newline="")))[1:]
    assert row == [cell, "x"]
