"""Tables that become lines on a narrow terminal, where narrow columns can't be read and wrapped ids can't be copied."""

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
    """A table for a terminal of at least `least` columns and for other programs; the entries for a narrower terminal.

    An entry is a head (cells that are never wrapped, side by side as far as they fit) and indented paragraphs.
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
    """The cells on as few lines as possible. No cell is wrapped unless it is wider than the terminal."""
    line = Text()
    for cell in filter(None, cells):
        if line and line.cell_len + 2 + cell.cell_len > width:
            yield line
            line = Text()
        line = Text.assemble(line, "  ", cell) if line else cell
    line.overflow = "fold"
    yield line
