"""Reads and writes the mutes of a deployment, and renders them. They are one item of the watchlist's table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from rich.text import Text

from imagewatch.errors import InvalidRule
from imagewatch.rules.mutes import MUTES_ID, NO_MUTES, Mutes
from uploader.aws.dynamodb import from_item, to_item
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError
from uploader.terminal import printable
from uploader.times import minute, now

MAX_SOURCES = 1000  # muted at a time: far below the 400 KB of an item
_ATTEMPTS = 5


class MuteStore:
    """The mutes. Everything raises CommandError with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws = aws
        (self._table,) = find_outputs(aws, stack, "WatchlistTableName")

    def read(self) -> Mutes:
        """The mutes that are not expired."""
        with aws_call("read the mutes (dynamodb:GetItem)"):
            answer = self._aws.dynamodb.get_item(TableName=self._table, Key=to_item({"RuleId": MUTES_ID}), ConsistentRead=True)
        return mutes_in(from_item(answer["Item"]) if "Item" in answer else None).active(now())

    def change(self, changed: Callable[[Mutes], Mutes]) -> Mutes:
        """Applies a change to the mutes as they are, and removes the expired ones. Returns them as they were written."""
        for _ in range(_ATTEMPTS):
            before = self.read()
            after = replace(changed(before), version=before.version + 1)
            if len(after.sources) > MAX_SOURCES:
                raise CommandError(f"at most {MAX_SOURCES:,} sources can be muted. `imagewatch mute --all` mutes everything.")
            if self._put(after, before.version):
                return after
        raise CommandError("other users change the mutes at the same time. Nothing was written: try again.")

    def _put(self, mutes: Mutes, version: int) -> bool:
        """False when another user has written them meanwhile."""
        condition = "Version = :version OR attribute_not_exists(Version)" if version else "attribute_not_exists(RuleId)"
        values: dict[str, Any] = {"ExpressionAttributeValues": to_item({":version": version})} if version else {}
        with aws_call("write the mutes (dynamodb:PutItem)"):
            try:
                self._aws.dynamodb.put_item(
                    TableName=self._table, Item=to_item(mutes.to_item()), ConditionExpression=condition, **values
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def mutes_in(record: Mapping[str, Any] | None) -> Mutes:
    """The mutes of a record, with expired ones. Raises CommandError for a record that can't be read."""
    try:
        return Mutes.from_item(record) if record else NO_MUTES
    except InvalidRule as error:
        raise CommandError(f"{error} Delete the item {MUTES_ID} of the watchlist table to end all mutes.") from error


def mute_lines(mutes: Mutes) -> Iterator[Text]:
    """A line for each mute."""
    if mutes.everything:
        yield Text(f"Muted until {minute(mutes.everything)}: all sources", style="yellow")
    for source, until in sorted(mutes.sources.items()):
        yield Text(f"Muted until {minute(until)}: {printable(source)}", style="yellow")


def mutes_document(mutes: Mutes) -> dict[str, Any]:
    """The mutes for scripts."""
    return {"all": mutes.everything or None, "sources": dict(sorted(mutes.sources.items()))}
