"""Reads the SearchIndexTable for one viewer: postings, counts, and the records of what was found.

Every key that is read begins with the viewer, so that nothing of another viewer can be read.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from imagewatch.aws.dynamodb import read_batch, to_item
from imagewatch.aws.settings import setting
from imagewatch.aws.tables.search_index import query
from imagewatch.search import postings
from imagewatch.search.counts import DayCount, TermCount
from imagewatch.search.index import EVERYONE, EVERYTHING, Row, digest, unpack
from imagewatch.search.postings import CONFIDENCE, TIME, counts_posting

MAX_SORTED = 5_000
"""Rows of a posting, the newest, that are sorted where it has none in the order of confidence: for owners, and for terms that are
found through labels."""

_LONGEST_MERGE = 40  # labels whose postings are merged for an alias or a category; for more, all images are looked at
_SMALLEST_PORTION = 5

Place = tuple[Any, ...]


class SearchLibrary:
    """What one viewer can search. It serves one request: what it has read of the counts stays as it was."""

    def __init__(self, viewer: str) -> None:
        """`viewer` is EVERYONE, or an owner's id from a verified token."""
        self.viewer = viewer
        self._counters: dict[str, Mapping[str, Any]] = {}
        self._sorted: dict[str, list[Row]] = {}

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
        found = self._counted(f"day:{first}", f"day:{last}", ScanIndexForward=False)
        return [DayCount(item["Position"].partition(":")[2], int(item["Images"])) for item in found]

    def records(self, image_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The stored records of the images that still exist, by id: a strongly consistent read."""
        found = read_batch(setting("IMAGES_TABLE"), [{"ImageId": image_id} for image_id in image_ids])
        return {item["ImageId"]: item for item in found}

    def read(self, term: str, order: str, after: Place | None, stop: str, limit: int) -> list[Row]:
        """Rows of a term's posting, as `search.planner.Postings` describes it.

        A term that has no rows gives those of the labels through which it is found, or all rows of the viewer. In the
        order of confidence these are all rows of the term; otherwise some may lack it.
        """
        names = self._postings_of(term)
        if order == CONFIDENCE and (self.viewer != EVERYONE or names != [term] or not postings.has_confidence_rows(term)):
            return self._sorted_page(term, names, after, limit)
        if len(names) == 1:
            return list(islice(self._rows(names[0], term, order, after, stop, limit), limit))
        return list(islice(self._merged(names, term, order, after, stop, limit), limit))

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
        for row in heapq.merge(*streams, key=lambda row: row.by_time, reverse=order != "oldest"):
            if row.image_id != previous:
                yield row
            previous = row.image_id

    def _rows(self, name: str, term: str, order: str, after: Place | None, stop: str, portion: int) -> Iterator[Row]:
        """Rows of one posting, with their confidence in `term`; `portion` rows are asked for at a time."""
        first, last = postings.bounds(order, after, stop)
        if first > last:
            return
        key = postings.posting(self.viewer, CONFIDENCE if order == CONFIDENCE else TIME, name)
        wanted = {
            "KeyConditionExpression": "Posting = :posting AND #position BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#position": "Position"},
            "ExpressionAttributeValues": to_item({":posting": key, ":first": first or " ", ":last": last}),
            "ScanIndexForward": order == "oldest",
            "Limit": portion,
        }
        for item in query(wanted):
            yield postings.row_at((key, item["Position"]), int(item["Minute"]), bytes(item["Terms"]), term)

    def _sorted_page(self, term: str, names: Sequence[str], after: Place | None, limit: int) -> list[Row]:
        if term not in self._sorted:
            found = islice(self._merged(names, term, "newest", None, "", MAX_SORTED), MAX_SORTED)
            having = [row for row in found if digest(term) in unpack(row.terms)]
            self._sorted[term] = sorted(having, key=lambda row: row.by_confidence, reverse=True)
        rows = self._sorted[term]
        return [row for row in rows if after is None or row.by_confidence < after][:limit]

    def _counted(self, first: str, last: str, **options: Any) -> Iterator[Mapping[str, Any]]:
        wanted = {
            "KeyConditionExpression": "Posting = :posting AND #position BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#position": "Position"},
            "ExpressionAttributeValues": to_item({":posting": counts_posting(self.viewer), ":first": first, ":last": last}),
        }
        return (item for item in query({**wanted, **options}) if item["Images"] > 0)

    def _read_counters(self, terms: Collection[str]) -> None:
        missing = {postings.key_name(term): term for term in terms if term not in self._counters}
        keys = [{"Posting": counts_posting(self.viewer), "Position": name} for name in missing]
        found = {item["Position"]: item for item in read_batch(setting("SEARCH_INDEX_TABLE"), keys)}
        self._counters |= {term: found.get(name, {}) for name, term in missing.items()}
