"""Reads and writes the watchlist of a deployment. A write succeeds only if the rule is as it was read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.errors import InvalidRule
from imagewatch.rules.model import Rule
from imagewatch.rules.mutes import MUTES_ID, Mutes
from imagewatch.timestamps import iso_utc
from uploader.aws.dynamodb import from_item, scan, to_item
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError
from uploader.rules.mute_store import mutes_in
from uploader.times import now


@dataclass(frozen=True)
class Stored:
    """A record of the watchlist. One that was written past the checks can be no rule; then `problem` says why."""

    record: Mapping[str, Any]
    rule: Rule | None
    problem: str = ""

    @property
    def rule_id(self) -> str:
        return str(self.record["RuleId"])

    @property
    def version(self) -> Any:
        return self.record.get("Version", 1)

    def valid(self) -> Rule:
        """The rule. Raises CommandError when it is none."""
        if self.rule is None:
            raise CommandError(f"{self.problem} Put it right with `imagewatch rules edit {self.rule_id}`, or delete it.")
        return self.rule


class Rules:
    """Reads and writes rules. Everything raises CommandError with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws = aws
        (self._table,) = find_outputs(aws, stack, "WatchlistTableName")

    def all(self) -> dict[str, Stored]:
        """Every rule by its id, in the order of ids."""
        return {rule_id: _stored(record) for rule_id, record in self._records().items() if rule_id != MUTES_ID}

    def all_and_mutes(self) -> tuple[dict[str, Stored], Mutes]:
        """Every rule by its id, in the order of ids, and the mutes that are not expired, in one read."""
        records = self._records()
        mutes = mutes_in(records.pop(MUTES_ID, None))
        return {rule_id: _stored(record) for rule_id, record in records.items()}, mutes.active(now())

    def _records(self) -> dict[str, dict[str, Any]]:
        with aws_call("read the rules (dynamodb:Scan)"):
            found = {str(record["RuleId"]): record for record in scan(self._aws.dynamodb, self._table, ConsistentRead=True)}
        return dict(sorted(found.items()))

    def find(self, rule_id: str) -> Stored | None:
        """The rule as it is now, or None when there is none of this id."""
        if rule_id == MUTES_ID:
            return None
        with aws_call("read the rule (dynamodb:GetItem)"):
            answer = self._aws.dynamodb.get_item(TableName=self._table, Key=to_item({"RuleId": rule_id}), ConsistentRead=True)
        return _stored(from_item(answer["Item"])) if "Item" in answer else None

    def get(self, rule_id: str) -> Stored:
        """The rule as it is now; raises CommandError, with what may have been meant, when there is none of this id."""
        stored = self.find(rule_id) if rule_id else None
        if stored is None:
            close = difflib.get_close_matches(rule_id, self.all(), 1)
            advice = f"Did you mean {close[0]}?" if close else "`imagewatch rules list` shows those that there are."
            raise CommandError(f"there is no rule {rule_id}. {advice}")
        return stored

    def create(self, rule: Rule) -> Rule:
        """Writes a rule that isn't there yet; returns it as it was written."""
        moment = iso_utc(now())
        created = replace(rule, version=1, created_at=moment, updated_at=moment)
        lost = (
            f"there is a rule {rule.rule_id} already. `imagewatch rules edit {rule.rule_id}` changes it; --id gives another id."
        )
        self._put(created, "attribute_not_exists(RuleId)", {}, lost)
        return created

    def change(self, rule: Rule, before: Stored) -> Rule:
        """Writes the rule in place of what was read; returns it as it was written."""
        version = before.version if isinstance(before.version, int) else 0
        known = before.rule.created_at if before.rule else ""
        changed = replace(rule, version=version + 1, created_at=known or rule.created_at, updated_at=iso_utc(now()))
        self._put(changed, *_unchanged(before), _lost(before))
        return changed

    def delete(self, before: Stored) -> None:
        """Deletes the rule that was read."""
        condition, values = _unchanged(before)
        with aws_call("delete the rule (dynamodb:DeleteItem)"), _or_else(_lost(before)):
            self._aws.dynamodb.delete_item(
                TableName=self._table,
                Key=to_item({"RuleId": before.rule_id}),
                ConditionExpression=condition,
                **({"ExpressionAttributeValues": to_item(values)} if values else {}),  # type: ignore[arg-type]
            )

    def _put(self, rule: Rule, condition: str, values: Mapping[str, Any], lost: str) -> None:
        with aws_call("write the rule (dynamodb:PutItem)"), _or_else(lost):
            self._aws.dynamodb.put_item(
                TableName=self._table,
                Item=to_item(rule.to_item()),
                ConditionExpression=condition,
                **({"ExpressionAttributeValues": to_item(values)} if values else {}),  # type: ignore[arg-type]
            )


class LostRaceError(CommandError):
    """Another user has written the rule since it was read. Nothing was overwritten."""


def _stored(record: dict[str, Any]) -> Stored:
    try:
        return Stored(record, Rule.from_item(record))
    except InvalidRule as error:
        return Stored(record, None, str(error))


def _unchanged(before: Stored) -> tuple[str, dict[str, Any]]:
    """The condition that the record is as it was read. Every write increments the version; a rule that was deleted and created
    again has another time. Records that were written by hand may have neither."""
    conditions, values = ["attribute_exists(RuleId)"], {}
    for name in ("Version", "UpdatedAt"):
        if name in before.record:
            conditions.append(f"{name} = :{name}")
            values[f":{name}"] = before.record[name]
        else:
            conditions.append(f"attribute_not_exists({name})")
    return " AND ".join(conditions), values


def _lost(before: Stored) -> str:
    return (
        f"another user has changed or deleted the rule {before.rule_id} meanwhile; it was version {before.version} when it was"
        f" read. Nothing was written: see `imagewatch rules show {before.rule_id}`, and try again."
    )


class _or_else:  # noqa: N801 - reads as a clause of the with statement
    """Turns a failed condition into a LostRaceError with this message."""

    def __init__(self, says: str) -> None:
        self._says = says

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise LostRaceError(self._says) from error
