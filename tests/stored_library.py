"""Images in the tables of the search, written as the workflow writes them: rows, counts and records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewatch.search.days import local_day
from imagewatch.search.index import EVERYONE, Row, named_terms, pack, terms_of, typed, viewers
from imagewatch.search.library import SearchLibrary
from imagewatch.search.postings import counts_posting, derived_terms, indexed_rows, key_name, position
from uploader.aws.dynamodb import to_item
from uploader.search.reader import TableReader

INDEX, RECORDS = "SearchIndexTable", "ImagesTable"


@dataclass
class Tables:
    """The tables of the template, with images that are written to them as the workflow writes them."""

    dynamodb: Any
    index: str = INDEX
    records: str = RECORDS
    images: dict[str, tuple[Row, dict[str, Any]]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    keys: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def library(self, viewer: str = EVERYONE) -> SearchLibrary:
        return SearchLibrary(viewer, self.reader)

    @property
    def reader(self) -> TableReader:
        return TableReader(self.dynamodb, self.index, self.records)

    def add(self, image_id: str, record: dict[str, Any], taken_at: str, minute: int, owner: str = "") -> None:
        stored = {**record, "ImageId": image_id, "TakenAt": taken_at, "TakenMinute": minute}
        at = position(taken_at, image_id, "1-1")
        rows = indexed_rows(stored, at, minute, owner)
        self.keys[image_id] = [row.key for row in rows]
        self.owners[image_id] = owner
        self.images[image_id] = (Row(image_id, taken_at, minute, 100.0, pack(terms_of(stored))), record)
        self.put(self.records, stored)
        for row in rows:
            self.put(self.index, {"Posting": row.key[0], "Position": row.key[1], "Minute": minute, "Terms": row.terms})

    def remove(self, image_id: str, *, rows_stay: bool = False) -> None:
        del self.images[image_id]
        self.dynamodb.delete_item(TableName=self.records, Key={"ImageId": {"S": image_id}})
        for posting, at in () if rows_stay else self.keys[image_id]:
            self.dynamodb.delete_item(TableName=self.index, Key=to_item({"Posting": posting, "Position": at}))

    def count(self) -> None:
        """Writes the counts of the images as they are."""
        counts: Counter[tuple[str, str]] = Counter()
        names: dict[str, str] = {}
        through: dict[tuple[str, str], set[str]] = defaultdict(set)
        for image_id, (row, record) in self.images.items():
            names |= {typed(f, name): name for f, name, _ in named_terms(record)}
            for viewer in viewers(self.owners[image_id]):
                counts.update((viewer, term.name) for term in terms_of(record))
                counts[viewer, f"day:{local_day(row.taken_at, row.minute_of_day)}"] += 1
                for term, labels in derived_terms(record).items():
                    through[viewer, term] |= labels
        for (viewer, term), images in counts.items():
            key = {"Posting": counts_posting(viewer), "Position": key_name(term)}
            labels = {"Through": through[viewer, term]} if through[viewer, term] else {}
            self.put(self.index, {**key, "Images": images, "Name": names.get(term, term), **labels})

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        self.dynamodb.put_item(TableName=table, Item=to_item(item))
