"""The page's script in a browser: how it writes percentages, and which name it completes."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from imagewatch.alerts.alert_text import percent
from imagewatch.search.grammar import parse
from imagewatch.search.query import Term
from imagewatch.text import comparable
from local.viewer.app import STATIC

from .chromium import document_of, needs_chromium

VALUES = [97.16, 97.1, 97, 99.99, 79.96, 0.3, 64.1, 4.35, 100, 0, 8.2, 55.05]


SCRIPT = (STATIC / "viewer.js").read_text(encoding="utf-8")
# (query, the word before its end: where it begins, its field, what is typed of it)
WORDS = [
    ("per", [0, "label", "per"]),
    ("person and ca", [11, "label", "ca"]),
    ("person and (ca", [12, "label", "ca"]),
    ("-nig", [1, "label", "nig"]),
    ('"traffic li', [0, "label", "traffic li"]),
    ('person or "traffic li', [10, "label", "traffic li"]),
    ('"traffic light" ca', [16, "label", "ca"]),
    ("source:ga", [7, "source", "ga"]),
    ('car text:"no en', [9, "text", "no en"]),
    ("person:9", [7, "person", "9"]),
    ("person ", [7, "label", ""]),
]
NAMES = {
    "Person": "Person",
    "Traffic Light": '"Traffic Light"',
    "or": '"or"',
    "Café": "Café",
    "gate-2": '"gate-2"',
    'a"b': '"a b"',
}


def in_browser(script: str, folder: Path) -> Any:
    """The value of an expression behind these definitions."""
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body><script>{script}</script></body>", encoding="utf-8")
    found = re.search(r"<body>(.*?)</body>", document_of(page.as_uri(), folder / "profile"), re.DOTALL)
    assert found
    return json.loads(html.unescape(found[1]))


@needs_chromium
def test_percentages_are_cut_as_in_the_messages(tmp_path: Path) -> None:
    definitions = re.findall(r"^const (?:cut|percent) = .*$", SCRIPT, re.MULTILINE)
    assert len(definitions) == 2
    script = "\n".join([*definitions, f"document.body.textContent = JSON.stringify({VALUES}.map(percent));"])
    assert in_browser(script, tmp_path) == [percent(value) for value in VALUES]


@needs_chromium
def test_the_word_before_the_cursor_is_completed(tmp_path: Path) -> None:
    definition = re.search(r"^function wordAt.*?^}$", SCRIPT, re.MULTILINE | re.DOTALL)
    assert definition
    queries = json.dumps([query for query, _ in WORDS])
    script = f"""{definition[0]}
        const words = {queries}.map((query) => wordAt(query, query.length));
        document.body.textContent = JSON.stringify(words.map((word) => [word.begin, word.field, word.prefix]));"""
    assert in_browser(script, tmp_path) == [word for _, word in WORDS]


@needs_chromium
def test_a_completed_name_is_written_as_a_query_needs_it(tmp_path: Path) -> None:
    definition = re.search(r"^const written = .*$", SCRIPT, re.MULTILINE)
    assert definition
    script = f"{definition[0]}\ndocument.body.textContent = JSON.stringify({json.dumps(list(NAMES))}.map(written));"
    shown = in_browser(script, tmp_path)
    assert shown == list(NAMES.values())
    for name, query in zip(NAMES, shown, strict=True):
        assert parse(query).where == Term(comparable(name))
