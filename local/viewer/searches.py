"""The page's search: the same search as the command line's, with cards of images."""

from __future__ import annotations

from typing import Any

from imagewatch.search.find import Match, Search, find, vocabulary
from imagewatch.search.index import EVERYONE
from imagewatch.search.library import SearchLibrary
from local.viewer.records import card
from local.viewer.stack import Stack
from uploader.search.reader import TableReader

MAX_NAMES = 12
_MAX_READ = 2_000  # names that are ranked by their images


class ImageSearch:
    """Searches all images of the stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def page(self, text: str, min_confidence: float, limit: int, cursor: str) -> dict[str, Any]:
        """A page of cards. Raises InvalidQuery with the place of a mistake, and InvalidCursor."""
        reader = self._reader
        found = find(SearchLibrary(EVERYONE, reader), Search(text, min_confidence, limit, cursor), reader.cursor_key)
        return {
            "images": [_found_card(match) for match in found.matches],
            "query": found.query,
            "next": found.cursor,
            "cutShort": found.cut_short,
            "reached": found.reached or None,
            "hidden": found.hidden,
            "hiddenExact": found.hidden_exact,
            "unknown": [{"term": one.term, "suggestions": list(one.suggestions)} for one in found.unknown],
        }

    def names(self, prefix: str, field: str) -> list[dict[str, Any]]:
        """The names in a field that begin with the prefix, those with the most images first."""
        found = vocabulary(SearchLibrary(EVERYONE, self._reader), prefix, field, _MAX_READ)
        ranked = sorted(found, key=lambda one: -one.images)[:MAX_NAMES]
        return [{"name": one.name, "images": one.images} for one in ranked]

    @property
    def _reader(self) -> TableReader:
        outputs = self._stack.outputs
        return TableReader(self._stack.client("dynamodb"), outputs["SearchIndexTableName"], outputs["ImagesTableName"])


def _found_card(match: Match) -> dict[str, Any]:
    found = [{"Field": one.field, "Name": one.name, "Confidence": one.confidence} for one in match.found]
    return {**card(match.record), "TakenAt": match.taken_at, "Found": found}
