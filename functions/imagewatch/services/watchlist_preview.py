"""Previews a rule over stored images, the newest first, for as long as a request may take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagewatch import timestamps
from imagewatch.aws.tables.search_library import SearchLibrary
from imagewatch.rules import preview as previews
from imagewatch.rules.model import Rule
from imagewatch.rules.preview import Page, Preview
from imagewatch.search.index import EVERYONE, EVERYTHING

RESERVE_SECONDS = 6
"""Time for the last page and its evaluation."""
_PAGE = 100  # images


@dataclass
class _Newest:
    """Reads the images of everyone, the newest first, until the time is over."""

    since: str
    end: int
    complete: bool = False
    oldest: str = ""

    def pages(self) -> Iterator[Page]:
        library, after = SearchLibrary(EVERYONE), None
        while not self.complete and timestamps.now() < self.end:
            rows = library.read(EVERYTHING, "newest", after, self.since, _PAGE)
            records = library.records([row.image_id for row in rows])
            found = [records[row.image_id] for row in rows if row.image_id in records]
            yield Page([record for record in found if record["Status"] == "ANALYZED"], len(rows))
            self.complete = len(rows) < _PAGE
            if rows:
                after, self.oldest = rows[-1].by_time, rows[-1].taken_at


@dataclass(frozen=True)
class Previewed:
    """A preview, and how much of the library it has seen."""

    preview: Preview
    complete: bool
    oldest: str
    """When the oldest examined image was taken: ISO 8601; empty for none."""


def run(rule: Rule, since: str, seconds: float) -> Previewed:
    """What the rule would have matched in images taken at `since` (ISO 8601, "" for all) or later. `seconds` is the time left."""
    newest = _Newest(since, timestamps.now() + round((seconds - RESERVE_SECONDS) * timestamps.SECOND))
    (found,) = previews.preview([rule], newest.pages(), lambda _: None)
    return Previewed(found, newest.complete, newest.oldest)
