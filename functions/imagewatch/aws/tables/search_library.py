"""The search's library over this deployment's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import from_item, read_batch, to_item
from imagewatch.aws.settings import setting
from imagewatch.search import library


class SearchLibrary(library.SearchLibrary):
    """What one viewer can search: EVERYONE, or an owner's id from a verified token."""

    def __init__(self, viewer: str) -> None:
        super().__init__(viewer, _TableReader())


class _TableReader:
    """The `imagewatch.search.library.IndexReader` of functions. Raises TransientError where a retry can succeed."""

    def query(
        self, posting: str, first: str, last: str, *, ascending: bool = True, portion: int | None = None
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Pages of the items of a posting whose positions lie between two, both included; `portion` items on each page."""
        request: dict[str, Any] = {
            "TableName": setting("SEARCH_INDEX_TABLE"),
            "KeyConditionExpression": "Posting = :posting AND #position BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#position": "Position"},
            "ExpressionAttributeValues": to_item({":posting": posting, ":first": first, ":last": last}),
            "ScanIndexForward": ascending,
            **({"Limit": portion} if portion else {}),
        }
        while True:
            with translated():
                page = client("dynamodb").query(**request)
            yield [from_item(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def items(self, keys: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, Any]]:
        """The existing items of the index with these keys (Posting, Position)."""
        return read_batch(setting("SEARCH_INDEX_TABLE"), keys)

    def records(self, image_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The existing records of these images."""
        return read_batch(setting("IMAGES_TABLE"), [{"ImageId": image_id} for image_id in image_ids])
