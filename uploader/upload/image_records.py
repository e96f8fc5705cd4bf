"""Reads the records of images, as far as commands show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from uploader.aws.dynamodb import BATCH_SIZE, from_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FIELDS = ("ImageId", "VersionId", "Status", "Reason", "Labels", "Moderation", "MatchedRules", "RulesOmitted", "ExecutionArn")

Finding = Mapping[str, Any]
"""A label or a moderation label: Name, Confidence (0-100), Parents (names)."""


@dataclass(frozen=True)
class RecordedRule:
    """A rule that matched the image."""

    name: str
    muted: str
    """Why it sends no alert; empty if it may send one."""
    item: Mapping[str, Any] = field(repr=False)
    """The whole entry, for --json."""

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> RecordedRule:
        return cls(str(item.get("Name", item.get("RuleId", "?"))), str(item.get("Muted") or ""), item)


@dataclass(frozen=True)
class Record:
    """The record of an image. What it does not have is empty."""

    image_id: str = ""
    version_id: str = ""
    status: str | None = None
    reason: str = ""
    labels: Sequence[Finding] = ()
    moderation: Mapping[str, Any] | None = None
    """Status, Labels, and Scope or Reason."""
    rules: Sequence[RecordedRule] = ()
    rules_omitted: int = 0
    """How many more rules matched than the record has room for."""
    execution_arn: str = ""

    @property
    def is_moderated(self) -> bool:
        """Whether moderation was checked. Without that, an empty list of moderation labels means nothing."""
        return (self.moderation or {}).get("Status") == "CHECKED"

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Record:
        return cls(
            str(item.get("ImageId", "")),
            str(item.get("VersionId", "")),
            item.get("Status"),
            str(item.get("Reason", "")),
            item.get("Labels", []),
            item.get("Moderation"),
            [RecordedRule.from_item(entry) for entry in item.get("MatchedRules") or []],
            int(item.get("RulesOmitted", 0)),
            str(item.get("ExecutionArn", "")),
        )


class ImageRecords:
    """The images table of a stack, read only. Raises what boto3 raises."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table

    def read(self, image_ids: Sequence[str]) -> dict[str, Record]:
        """The records that exist, by ImageId. One that DynamoDB didn't return this time is missing; the caller reads again."""
        found: dict[str, Record] = {}
        for start in range(0, len(image_ids), BATCH_SIZE):
            for record in self._read_batch(image_ids[start : start + BATCH_SIZE]):
                found[record.image_id] = record
        return found

    def _read_batch(self, image_ids: Sequence[str]) -> list[Record]:
        names = {f"#{number}": name for number, name in enumerate(_FIELDS)}
        answer = self._dynamodb.batch_get_item(
            RequestItems={
                self._table: {
                    "Keys": [{"ImageId": {"S": image_id}} for image_id in image_ids],
                    "ProjectionExpression": ", ".join(names),
                    "ExpressionAttributeNames": names,  # Status is a reserved word
                }
            }
        )
        items = answer["Responses"].get(self._table, [])
        return [Record.from_item(from_item(item)) for item in items]
