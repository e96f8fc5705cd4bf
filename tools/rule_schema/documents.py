"""What the declarations generate: two JSON schemas, and tables in docs/watchlist.md between marker comments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from imagewatch.rules.fields import Declaration, Field
from imagewatch.rules.model import COOLDOWN, RULE, TERM
from imagewatch.rules.schedule import ACTIVE_HOURS, WINDOW
from imagewatch.rules.schema import rule_file_schema, rule_schema

DOCS = Path(__file__).parents[2] / "docs"
DECLARATIONS: dict[str, Declaration] = {
    "rule": RULE,
    "term": TERM,
    "cooldown": COOLDOWN,
    "active hours": ACTIVE_HOURS,
    "window": WINDOW,
}
_TABLE = re.compile(r"(<!-- fields: ([a-z ]+) -->\n).*?(<!-- end of fields -->)", re.DOTALL)


def documents() -> dict[Path, str]:
    """Each generated file with the text that it must have."""
    watchlist = DOCS / "watchlist.md"
    return {
        DOCS / "rule.schema.json": _json(rule_schema()),
        DOCS / "rule-file.schema.json": _json(rule_file_schema()),
        watchlist: _with_tables(watchlist.read_text(encoding="utf-8")),
    }


def _with_tables(text: str) -> str:
    return _TABLE.sub(lambda found: f"{found[1]}{_table(DECLARATIONS[found[2]])}{found[3]}", text)


def _table(declaration: Declaration) -> str:
    rows = [f"| `{one.name}` | {_value(one)} | {one.description}{_default(one)} |" for one in declaration.fields]
    return "\n".join(["| Field | Value | Meaning |", "|---|---|---|", *rows, ""])


def _value(field: Field[Any]) -> str:
    return f"{field.kind.must}: `{field.example}`" if field.example else field.kind.must


def _default(field: Field[Any]) -> str:
    if field.required:
        return " Required."
    default = field.schema.get("default")
    return "" if default is None else f" Default: `{json.dumps(default)}`."


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
