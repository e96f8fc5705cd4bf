"""How results read at the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from imagewatch.alerts.alert_text import percent
from imagewatch.search.counts import TermCount
from imagewatch.search.find import Match, Results
from imagewatch.search.found import FoundTerm
from imagewatch.search.planner import MAX_ROWS
from uploader.tables import TableOrLines
from uploader.terminal import printable
from uploader.times import minute

Link = Callable[[Mapping[str, Any]], str]
"""The address of something of a record; empty where there is none."""

_MAX_FOUND = 4
_FOUND_WIDTH = 30
"""Columns for what was found, which may wrap. Addresses may not: a wrapped one can't be copied."""
_GAP = 3  # columns between two cells
_COLUMNS = ("taken_at", "source", "status", "key", "image_id", "found", "page", "thumbnail")
_FORMULA = re.compile(r"^\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def results_table(results: Results, page: Link) -> TableOrLines:
    """A row for each image: when it was taken, its source, what was found, its key and the address of its page."""
    rows = [_cells(match, page) for match in results.matches]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Taken (UTC)", no_wrap=True)
    table.add_column("Source", overflow="fold")
    table.add_column("Found", overflow="fold", min_width=min((_FOUND_WIDTH, *(row[2].cell_len for row in rows))))
    table.add_column("Image", overflow="fold")
    for row in rows:
        table.add_row(*row)
    widths = [when.cell_len + source.cell_len + max(line.cell_len for line in image.split()) for when, source, _, image in rows]
    entries = [([when, source], [found, image]) for when, source, found, image in rows]
    return TableOrLines(table, max(widths, default=0) + _FOUND_WIDTH + 3 * _GAP, entries)


def notes(results: Results, min_confidence: float, following: str) -> Iterator[str]:
    """What a page of results does not show: unknown names, hidden images, where it stopped, and how it goes on."""
    for unknown in results.unknown:
        similar = " or ".join(unknown.suggestions)
        yield printable(f"No image has {unknown.term}." + (f" Did you mean {similar}?" if similar else ""))
    if results.hidden:
        least = "" if results.hidden_exact else "At least "
        images = "image is" if results.hidden == 1 else "images are"
        part = " in this part of the results" if results.cursor else ""
        yield f"{least}{results.hidden:,} {images} hidden below {percent(min_confidence)}{part}."
    if results.cut_short:
        yield f"The search stopped after {MAX_ROWS:,} index rows, at {_reached(results)}. There may be more images."
    if results.cursor:
        yield f"Next page: {following} --after {results.cursor}"


def document(results: Results, page: Link, thumbnail: Link) -> dict[str, Any]:
    """One page of results for scripts."""
    return {
        "query": results.query,
        "images": [
            {**_fields(match, page, thumbnail), "found": [_plain(term) for term in match.found]} for match in results.matches
        ],
        "hidden": results.hidden,
        "hidden_exact": results.hidden_exact,
        "cut_short": results.cut_short,
        "reached": results.reached or None,
        "next": results.cursor,
        "unknown": [{"term": one.term, "suggestions": list(one.suggestions)} for one in results.unknown],
    }


def csv_text(results: Results, page: Link, thumbnail: Link) -> str:
    """One page of results as CSV with a header. No cell is a formula for a spreadsheet: such text gets a quote before it."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    for match in results.matches:
        fields = {**_fields(match, page, thumbnail), "found": ", ".join(map(_shown, match.found))}
        writer.writerow([cell(str(fields[name] or "")) for name in _COLUMNS])
    return written.getvalue()


def cell(text: str) -> str:
    """A cell that no spreadsheet runs. Source: OWASP, "CSV Injection"."""
    return f"'{text}" if _FORMULA.match(text) else text


def terms_table(terms: Sequence[TermCount], heading: str) -> Table:
    """A row for each name, with its number of images."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(heading, overflow="fold")
    table.add_column("Images", justify="right", no_wrap=True)
    for term in terms:
        table.add_row(Text(printable(term.name)), f"{term.images:,}")
    return table


def _cells(match: Match, page: Link) -> tuple[Text, Text, Text, Text]:
    when, source = Text(match.taken_at[:16].replace("T", " ")), Text(printable(str(match.record.get("Source", ""))))
    return when, source, Text(", ".join(map(_shown, _best(match)))), _image(match, page)


def _fields(match: Match, page: Link, thumbnail: Link) -> dict[str, Any]:
    record = match.record
    return {
        "image_id": match.image_id,
        "taken_at": match.taken_at,
        "source": record.get("Source"),
        "status": record.get("Status"),
        "key": record.get("Key"),
        "page": page(record),
        "thumbnail": thumbnail(record) or None,
    }


def _best(match: Match) -> Sequence[FoundTerm]:
    """What the query found in the image, or else its most confident labels."""
    if match.found:
        return match.found[:_MAX_FOUND]
    labels = sorted(match.record.get("Labels", ()), key=lambda label: -float(label["Confidence"]))
    return [FoundTerm("label", str(label["Name"]), float(label["Confidence"])) for label in labels[:_MAX_FOUND]]


def _shown(term: FoundTerm) -> str:
    name = printable(term.name if term.field == "label" else f"{term.field}: {term.name}")
    return name if term.confidence is None else f"{name} {percent(term.confidence)}"


def _plain(term: FoundTerm) -> dict[str, Any]:
    return {"field": term.field, "name": term.name, "confidence": term.confidence}


def _image(match: Match, page: Link) -> Text:
    address = printable(page(match.record))
    return Text.assemble(printable(str(match.record.get("Key", match.image_id))), "\n", (address, "dim"))


def _reached(results: Results) -> str:
    if results.reached_confidence is not None:
        return f"a confidence of {percent(results.reached_confidence)}"
    return minute(results.reached)
