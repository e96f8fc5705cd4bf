"""CSV that spreadsheets open without running anything.

Sources: RFC 4180 (form); OWASP, "CSV Injection" (a cell that begins with = + - @, a tab or a carriage return can be a formula).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

MEDIA_TYPE = "text/csv; charset=utf-8"
BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel reads UTF-8 as another encoding."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with a header. Text that a spreadsheet could read as a formula begins with an apostrophe; numbers stay numbers."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return BYTE_ORDER_MARK + out.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    # Spreadsheets ignore spaces before a formula. Delimiters and quotes inside a cell are quoted by the writer.
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
