"""The schemas and field tables in docs/ are those of the field declarations."""

from __future__ import annotations

import pytest

from imagewatch.rules.fields import Declaration, Field, Place, line
from tools.rule_schema.documents import DECLARATIONS, documents


def test_what_is_generated_is_up_to_date() -> None:
    outdated = [path.name for path, text in documents().items() if path.read_text(encoding="utf-8") != text]
    assert outdated == [], "run python -m tools.rule_schema"


def test_the_documents_have_a_table_of_each_declaration() -> None:
    (watchlist,) = (text for path, text in documents().items() if path.name == "watchlist.md")
    for name, declaration in DECLARATIONS.items():
        table = watchlist.partition(f"<!-- fields: {name} -->\n")[2].partition("<!-- end of fields -->")[0]
        for field in declaration.fields:
            assert f"| `{field.name}` |" in table, (name, field.name)


def test_a_declaration_without_its_field_in_the_documents_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    more = Field("Colour", line(9), "A new field.", default="red")
    changed = Declaration("a cooldown", (*DECLARATIONS["cooldown"].fields, more))
    monkeypatch.setitem(DECLARATIONS, "cooldown", changed)
    (text,) = (text for path, text in documents().items() if path.name == "watchlist.md")
    assert '| `Colour` | one line of text with 1 to 9 characters | A new field. Default: `"red"`. |' in text
    assert more.kind.read("blue", Place()) == "blue"
