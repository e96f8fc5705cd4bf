"""One viewer's part of the search index: postings, counts, and the records of what was found.

Every key that is read begins with the viewer, so that nothing of another viewer can be read. The tables are read through an
`IndexReader`, which exists for functions and for clients.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from imagewatch.search import postings
from imagewatch.search.counts import DayCount, TermCount
from imagewatch.search.index import EVERYONE, EVERYTHING, Row
from imagewatch.search.postings import CONFIDENCE, TIME, counts_posting

_LONGEST_MERGE = 40  # labels whose postings are merged for an alias or a category; for more, all images are looked at
_SMALLEST_PORTION = 5

Place = tuple[Any, ...]


class IndexReader(Protocol):
    """Reads the SearchIndexTable and the ImagesTable, as plain values."""

    def query(
        self, posting: str, first: str, last: str, *, ascending: bool = True, portion: int | None = None
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Pages of the items of a posting whose positions lie between two, both included; `portion` items on each page."""
        ...

    def items(self, keys: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, Any]]:
        """The existing items of the SearchIndexTable with these keys (Posting, Position), in any order."""
        ...

    def records(self, image_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The existing records of these images, in any order: a strongly consistent read."""
        ...


class SearchLibrary:
    """What one viewer can search. It serves one request: what it has read of the counts stays as it was."""

    def __init__(self, viewer: str, reader: IndexReader) -> None:
        """`viewer` is EVERYONE, or an owner's id from a verified token."""
        self.viewer = viewer
        self._reader = reader
        self._counters: dict[str, Mapping[str, Any]] = {}
        self.rows_read = 0
        """Rows of postings that were read so far."""

    def count(self, term: str) -> int:
        """The number of the viewer's images with a term."""
        return self.counts([term]).get(term, 0)

    def counts(self, terms: Sequence[str]) -> dict[str, int]:
        """The number of the viewer's images with each of these terms. A term without images is missing."""
        self._read_counters(terms)
        return {term: int(number) for term in terms if (number := self._counters[term].get("Images", 0)) > 0}

    def vocabulary(self, prefix: str, limit: int) -> list[TermCount]:
        """Up to `limit` terms of the viewer's images that begin with the prefix ("label:tra"), in alphabetical order."""
        found = self._counted(prefix, f"{prefix}\U0010ffff")
        return [TermCount(item["Position"], item["Name"], int(item["Images"])) for item in islice(found, limit)]

    def days(self, first: str, last: str) -> list[DayCount]:
        """The days with images of the viewer between two ISO dates, both included, the newest first."""
        if last < first:
            return []
        found = self._counted(f"day:{first}", f"day:{last}", ascending=False)
        return [DayCount(item["Position"].partition(":")[2], int(item["Images"])) for item in found]

    def records(self, image_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The stored records of the images that still exist, by id: a strongly consistent read."""
        return {item["ImageId"]: item for item in self._reader.records(image_ids)}

    def read(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> list[Row]:
        """Rows of a term's posting, as `search.planner.Postings` describes it.

        A term without rows gives those of the labels through which it is found, or all rows of the viewer; then some
        may lack it.
        """
        names = self._postings_of(term)
        if len(names) == 1:
            return list(islice(self._rows(names[0], term, order, after, stop, limit), limit))
        return list(islice(self._merged(names, term, order, after, stop, limit), limit))

    def sorts(self, term: str) -> bool:
        """Whether the term's rows exist in the order of confidence."""
        # What is found through several labels would be listed at the confidence of each of them.
        return self.viewer == EVERYONE and self._postings_of(term) == [term] and postings.has_confidence_rows(term)

    def _postings_of(self, term: str) -> list[str]:
        if not postings.has_rows(self.viewer, term):
            return [EVERYTHING]
        self._read_counters([term])
        through = sorted(self._counters[term].get("Through", ()))
        if len(through) > _LONGEST_MERGE:
            return [EVERYTHING]
        own = [] if term.startswith("category:") and through else [term]
        return [*own, *through]

    def _merged(self, names: Sequence[str], term: str, order: str, after: Place | None, stop: str, limit: int) -> Iterator[Row]:
        portion = max(_SMALLEST_PORTION, limit // len(names))
        streams = [self._rows(name, term, order, after, stop, portion) for name in names]
        previous = None
        for row in heapq.merge(*streams, key=_place_in(order), reverse=order != "oldest"):
            if row.image_id != previous:
                yield row
            previous = row.image_id

    def _rows(self, name: str, term: str, order: str, after: Place | None, stop: str, portion: int) -> Iterator[Row]:
        """Rows of one posting, with their confidence in `term`; `portion` rows are asked for at a time."""
        first, last = postings.bounds(order, after, stop)
        if first > last:
            return
        key = postings.posting(self.viewer, CONFIDENCE if order == CONFIDENCE else TIME, name)
        for page in self._reader.query(key, first or " ", last, ascending=order == "oldest", portion=portion):
            self.rows_read += len(page)
            for item in page:
                yield postings.row_at((key, item["Position"]), int(item["Minute"]), bytes(item["Terms"]), term)

    def _counted(self, first: str, last: str, *, ascending: bool = True) -> Iterator[Mapping[str, Any]]:
        found = self._reader.query(counts_posting(self.viewer), first, last, ascending=ascending)
        return (item for page in found for item in page if item["Images"] > 0)

    def _read_counters(self, terms: Collection[str]) -> None:
        missing = {postings.key_name(term): term for term in terms if term not in self._counters}
        keys = [{"Posting": counts_posting(self.viewer), "Position": name} for name in missing]
        found = {item["Position"]: item for item in self._reader.items(keys)}
        self._counters |= {term: found.get(name, {}) for name, term in missing.items()}


def _place_in(order: str) -> Callable[[Row], Place]:
    return (lambda row: row.by_confidence) if order == CONFIDENCE else (lambda row: row.by_time)
