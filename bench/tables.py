"""A table in three forms: for the terminal, for documents and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """Rows of text under a title. The first column names the row; the notes say how to read the table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)

    def show(self, console: Console) -> None:
        printed = RichTable(title=self.title, title_justify="left", title_style="bold", pad_edge=False)
        for number, column in enumerate(self.columns):
            printed.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
        for row in self.rows:
            printed.add_row(*row)
        console.print(printed)
        for note in self.notes:
            console.print(f"  {note}", markup=False, highlight=False)
        console.print()

    def markdown(self) -> str:
        """Title, table and notes as GitHub's Markdown, ending with a line feed."""
        lines = [f"### {self.title}", "", _line(self.columns)]
        lines.append(_line(["---", *("---:" for _ in self.columns[1:])]))
        lines += [_line(row) for row in self.rows]
        lines += ["", *(f"* {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"

    def plain(self) -> dict[str, Any]:
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
