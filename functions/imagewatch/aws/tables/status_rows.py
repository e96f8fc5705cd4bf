"""Counts the images of a status by day, from the rows of the SearchIndexTable."""

from __future__ import annotations

from collections import Counter
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import to_item
from imagewatch.aws.settings import setting
from imagewatch.search import postings
from imagewatch.search.index import EVERYONE, typed

MAX_ROWS = 50_000
"""Rows that are counted: about 14 MB of reads."""


def by_day(status: str, first: str, last: str) -> Counter[str]:
    """The number of all images of a status ("rejected") on each day (UTC) between two ISO dates, both included.

    Only for a status that has rows: not for "analyzed". After MAX_ROWS, older images are not counted.
    """
    found: Counter[str] = Counter()
    start: dict[str, Any] = {}
    while found.total() < MAX_ROWS:
        with translated():
            page = client("dynamodb").query(
                TableName=setting("SEARCH_INDEX_TABLE"),
                KeyConditionExpression="Posting = :posting AND #position BETWEEN :first AND :last",
                ExpressionAttributeNames={"#position": "Position"},
                ExpressionAttributeValues=to_item(
                    {
                        ":posting": postings.posting(EVERYONE, postings.TIME, typed("status", status)),
                        ":first": first,
                        ":last": f"{last}~",
                    }
                ),
                ProjectionExpression="#position",
                ScanIndexForward=False,
                **start,
            )
        found.update(item["Position"]["S"][:10] for item in page["Items"])
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    return found
