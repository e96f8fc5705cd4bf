"""Reads the whole ImagesTable page by page for a backfill, and rewrites the records whose matched rules change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import Item, conditional_update, from_item, placeholders, set_clause, to_item
from imagewatch.aws.settings import setting
from imagewatch.rules.backfill import BackfillRun, RecordUpdate

PAGE_SIZE = 100  # records in one answer: about half a megabyte, of which an interrupted page reads a part again

_READ = (
    "ImageId", "Bucket", "Key", "VersionId", "Version", "Lease", "ETag", "Sequencer", "Size", "UploadedAt", "Status", "Labels",
    "Moderation", "Text", "MatchedRules", "RulesOmitted", "ExecutionArn",
)  # fmt: skip
_NAMES = {f"#{name}": name for name in _READ}
_INCLUDED = "#Status = :analyzed AND attribute_exists(#Lease) AND #UploadedAt >= :since AND #UploadedAt < :until"
_SAME_LEASE = "#Version = :version AND #Lease = :lease AND #Status = :analyzed"


@dataclass(frozen=True)
class ScanPage:
    """Items in DynamoDB's form, and the cursor behind them: None at the table's end."""

    items: list[Item]
    cursor: dict[str, str] | None


def read(run: BackfillRun, cursor: Mapping[str, str] | None) -> ScanPage:
    """The next records that the run includes, in the table's order, which is unrelated to time.

    DynamoDB reads (and charges) every record whole, at most 1 MB or PAGE_SIZE of them at a time. So a page can be empty before
    the table's end. The read is eventually consistent; `update_matched_rules` detects what it missed.
    """
    start = {"ExclusiveStartKey": to_item(cursor)} if cursor else {}
    with translated():
        page = client("dynamodb").scan(
            TableName=setting("IMAGES_TABLE"),
            Limit=PAGE_SIZE,
            FilterExpression=_INCLUDED,
            ProjectionExpression=", ".join(_NAMES),
            ExpressionAttributeNames=_NAMES,
            ExpressionAttributeValues=to_item({":analyzed": "ANALYZED", ":since": run.since, ":until": run.until}),
            **start,
        )
    return ScanPage(page["Items"], from_item(page["LastEvaluatedKey"]) if "LastEvaluatedKey" in page else None)


def read_ids(cursor: str) -> tuple[list[str], str]:
    """The ids of the next images behind the id `cursor`, and the next cursor. Empty cursors are the table's beginning and end."""
    start = {"ExclusiveStartKey": to_item({"ImageId": cursor})} if cursor else {}
    with translated():
        page = client("dynamodb").scan(
            TableName=setting("IMAGES_TABLE"), Limit=PAGE_SIZE, ProjectionExpression="ImageId", ConsistentRead=True, **start
        )
    following = from_item(page["LastEvaluatedKey"])["ImageId"] if "LastEvaluatedKey" in page else ""
    return [from_item(item)["ImageId"] for item in page["Items"]], following


def update_matched_rules(item: Item, update: RecordUpdate) -> Item | None:
    """Writes MatchedRules, if the record has the same lease as `item` and its MatchedRules haven't changed since it was read.

    Returns None when they are written; otherwise the item as it is now, empty when it was deleted.
    """
    before = from_item(item)
    changes: dict[str, Any] = {"MatchedRules": [one.to_item() for one in update.matched_rules]}
    if update.rules_omitted:
        changes["RulesOmitted"] = update.rules_omitted
    values = {":analyzed": "ANALYZED", ":version": before["Version"], ":lease": before["Lease"], **placeholders(changes)}
    unchanged = "attribute_not_exists(#MatchedRules)"
    if "MatchedRules" in before:
        unchanged, values[":before"] = "#MatchedRules = :before", before["MatchedRules"]
    written = conditional_update(
        setting("IMAGES_TABLE"),
        {"ImageId": before["ImageId"]},
        set_clause(changes),
        f"{_SAME_LEASE} AND {unchanged}",
        values,
        returns="NONE",
    )
    return None if written.done else to_item(written.item)
