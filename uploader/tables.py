"""Tables that a narrow terminal gets as lines: columns of a few letters can't be read, and a broken id can't be copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_INDENT = 2


@dataclass(frozen=True)
class TableOrLines:
    """The table where there are `least` columns for it, or the reader is a program; elsewhere the entries.

    An entry is a head (cells that are never broken, side by side as far as they fit) and paragraphs, which are indented.
    """

    table: Table
    least: int
    entries: Sequence[tuple[Sequence[Text], Sequence[Text]]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not options.is_terminal or options.max_width >= self.least:
            yield self.table
            return
        for head, paragraphs in self.entries:
            yield from _side_by_side(head, options.max_width)
            yield from (Padding(text, (0, 0, 0, _INDENT), expand=False) for text in paragraphs)


def _side_by_side(cells: Sequence[Text], width: int) -> Iterator[Text]:
    """The cells on as few lines as hold each of them whole."""
    line = Text()
    for cell in filter(None, cells):
        if line and line.cell_len + 2 + cell.cell_len > width:
            yield line
            line = Text()
        line = Text.assemble(line, "  ", cell) if line else cell
    line.overflow = "fold"
    yield line
