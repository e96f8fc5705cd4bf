"""`imagewatch search` and `labels` from their arguments to their exit codes, against moto."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from typing import Any

import pytest

from tests.search_library import moment
from tests.stored_library import Tables
from uploader.cli import main

from .conftest import Stack
from .searchable import add, with_images

Output = pytest.CaptureFixture[str]


@pytest.fixture
def tables(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Twelve images of two cameras."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    return with_images(stack)


def run(output: Output, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    return code, *output.readouterr()


def test_the_table_shows_matches_hidden_images_and_the_next_page(tables: Tables, capsys: Output) -> None:
    code, shown, _ = run(capsys, "search", "person", "--min-confidence", "80", "--limit", "3")
    assert code == 0
    assert "Taken (UTC)" in shown
    assert "2026-01-01 00:11" in shown
    assert "Person 93 %" in shown
    assert "uploads/gate-2/11.jpg" in shown
    assert f"prefix={'uploads%2Fgate-2%2F11.jpg'}" in shown
    cursor = re.search(r"Next page: imagewatch search person --min-confidence 80 --limit 3 --after (\S+)", shown)
    assert cursor
    code, shown, _ = run(
        capsys, "search", "person", "--min-confidence", "80", "--limit", "3", "--after", cursor[1]
    )  # fmt: skip
    assert "uploads/gate-1/8.jpg" in shown
    assert "7 images are hidden below 80 %." in shown
    assert "Next page" not in shown
    code, shown, _ = run(capsys, "search", "person", "--min-confidence", "80")
    assert "7 images are hidden below 80 %." in shown
    assert "Next page" not in shown


def test_the_printed_command_of_the_next_page_works_as_it_is(tables: Tables, capsys: Output) -> None:
    keys: list[str] = []
    arguments = ["search", "--limit", "2", "--", "-night"]
    while arguments:
        code, shown, _ = run(capsys, *arguments)
        assert code == 0
        keys += re.findall(r"uploads/gate-\d/\d+\.jpg", shown)
        following = re.search(r"Next page: imagewatch (.*)", shown)
        arguments = shlex.split(following[1]) if following else []
    assert keys == [f"uploads/gate-2/{number}.jpg" for number in (11, 9, 7, 5, 3, 1)]


def test_json_has_the_whole_page_and_nothing_else(tables: Tables, capsys: Output) -> None:
    code, shown, errors = run(capsys, "search", "person", "--min-confidence", "80", "--limit", "2", "--json")
    found = json.loads(shown)
    assert (code, errors, found["hidden"], found["cut_short"], len(found["images"])) == (0, "", 0, False, 2)
    image = found["images"][0]
    assert (image["key"], image["source"], image["found"][0]["confidence"]) == ("uploads/gate-2/11.jpg", "gate-2", 93)
    assert "X-Amz-Signature=" in image["thumbnail"]
    assert found["next"]


def test_csv_is_for_programs_and_notes_go_to_stderr(tables: Tables, capsys: Output) -> None:
    add(tables, 12, {"Person": 99.0}, key="uploads/gate-1/=cmd.jpg")
    code, shown, errors = run(capsys, "search", "person:90", "--csv", "--limit", "2")
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert (code, [row["key"] for row in rows]) == (0, ["uploads/gate-1/=cmd.jpg", "uploads/gate-2/11.jpg"])
    assert rows[0]["found"] == "Person 99 %"
    assert "Next page: " in errors


@pytest.mark.parametrize(
    ("query", "caret", "message"),
    [
        ("person and (car", 11, 'This "(" is never closed.'),
        ('person "car', 7, "This quotation mark is never closed."),
        ("taken:2026-02-30", 6, "The day 2026-02-30 does not exist."),
        ("taken:2026-13", 6, "The day 2026-13 does not exist."),
        ("car " * 500, 60, "more than 100 terms"),
        ("a" * 10_000, 60, "10,000 characters; 2,000 are allowed"),
        ("colour:red", 0, '"colour:" is not a field.'),
        ("person:0.9", 7, "looks like a fraction"),
    ],
)
def test_a_mistake_is_pointed_at_and_the_exit_code_is_2(
    tables: Tables, capsys: Output, query: str, caret: int, message: str
) -> None:
    code, shown, errors = run(capsys, "search", query)
    _, pointer, said = errors.splitlines()
    assert (code, shown, pointer) == (2, "", " " * caret + "^")
    assert said.startswith("imagewatch: ")
    assert message in said


def test_a_cursor_of_another_query_or_of_nothing_is_refused(tables: Tables, capsys: Output) -> None:
    _, shown, _ = run(capsys, "search", "person", "--limit", "2", "--json")
    cursor = json.loads(shown)["next"]
    for arguments in (("search", "night", "--after", cursor), ("search", "person", "--after", "x" * 600),
                      ("search", "person", "--min-confidence", "70", "--after", cursor)):  # fmt: skip
        code, shown, errors = run(capsys, *arguments)
        assert (code, shown) == (2, "")
        assert "does not belong to this search" in errors
    code, _, errors = run(capsys, "search", "person", "--since", "7d", "--after", cursor)
    assert (code, "--after continues" in errors) == (2, True)


def test_a_time_window_uses_when_images_were_taken(tables: Tables, capsys: Output) -> None:
    window = ("--since", "2026-01-01T00:03+00:00", "--until", "2026-01-01T00:06+00:00")
    _, shown, _ = run(capsys, "search", *window, "--json")
    assert [image["taken_at"] for image in json.loads(shown)["images"]] == [moment(n) for n in (5, 4, 3)]
    code, _, errors = run(capsys, "search", "--since", "2026-01-02", "--until", "2026-01-01")
    assert (code, "--since must be before --until" in errors) == (2, True)


def test_an_unknown_name_gets_suggestions(tables: Tables, capsys: Output) -> None:
    code, shown, _ = run(capsys, "search", "persn or traffic")
    assert code == 0
    assert "No image matches." in shown
    assert "No image has persn. Did you mean person?" in shown
    assert 'No image has traffic. Did you mean "traffic light"?' in shown


def test_labels_are_listed_with_the_most_images_first(tables: Tables, capsys: Output) -> None:
    code, shown, _ = run(capsys, "labels")
    assert code == 0
    assert re.findall(r"^(Person|Night|Traffic Light) +(\d+)$", shown, re.MULTILINE) == [
        ("Person", "12"), ("Night", "6"), ("Traffic Light", "6"),
    ]  # fmt: skip
    _, shown, _ = run(capsys, "labels", "TRAFFIC l", "--json")
    assert json.loads(shown) == {"label": [{"name": "Traffic Light", "images": 6}]}
    _, shown, _ = run(capsys, "labels", "--in", "source", "--limit", "1")
    assert "gate-1" in shown
    assert "1 more name." in shown
    _, shown, _ = run(capsys, "labels", "xyz")
    assert "No image has a label that begins with 'xyz'. A new image is counted within about a minute." in shown


def test_csv_and_json_exclude_each_other(tables: Tables, capsys: Output) -> None:
    assert run(capsys, "search", "person", "--csv", "--json")[0] == 2


def test_a_stack_without_the_index_says_what_to_do(stack: Stack, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    body: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"X": {"Value": "y"}}}
    stack.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(body))
    code, _, errors = run(capsys, "search", "person")
    assert code == 1
    assert "SearchIndexTableName" in errors
