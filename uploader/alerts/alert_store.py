"""Reads the alerts of a deployment, marks wrong ones, and tests its channels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.alerts.channel_health import ChannelTest
from imagewatch.timestamps import iso_now
from uploader.alerts.stored_alert import Mark, StoredAlert
from uploader.aws.dynamodb import fetch, from_item, scan, to_item
from uploader.aws.errors import AWS_ERRORS, aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError, UsageError
from uploader.rules.precision import RuleTerms

_ALERT_ID = re.compile(r"[0-9a-f]{32}")
_NO_ALERT = "there is no alert {}. `imagewatch alerts list` shows the alerts."
_SHOWN = "AlertId, RuleId, RuleName, #Status, CreatedAt, Subject, #Source, #Key, Deliveries, NotThis"
_SHOWN_NAMES = {"#Status": "Status", "#Source": "Source", "#Key": "Key"}


class AlertStore:
    """The alerts of a deployment. Every method raises CommandError, with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws, self._stack = aws, stack
        self._table, self._watchlist = find_outputs(aws, stack, "AlertsTableName", "WatchlistTableName")

    def newest(self, since: str, limit: int) -> list[StoredAlert]:
        """The alerts created since then (ISO 8601), newest first. It reads the whole table."""
        with aws_call("read the alerts (dynamodb:Scan)"):
            found = scan(
                self._aws.dynamodb,
                self._table,
                FilterExpression="CreatedAt >= :since AND attribute_exists(RuleId) AND attribute_exists(ImageId)",
                ExpressionAttributeValues=to_item({":since": since}),
                ProjectionExpression=_SHOWN,
                ExpressionAttributeNames=_SHOWN_NAMES,
            )
            return _newest_first(found)[:limit]

    def of_rule(self, rule_id: str, since: str, limit: int | None = None) -> list[StoredAlert]:
        """The records of one rule's alerts created since then, newest first."""
        keys: list[dict[str, str]] = []
        with aws_call("read the rule's alerts (dynamodb:Query on the index ByRule)"):
            pages = self._aws.dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="ByRule",
                KeyConditionExpression="RuleId = :rule AND CreatedAt >= :since",
                ExpressionAttributeValues=to_item({":rule": rule_id, ":since": since}),
                ScanIndexForward=False,
            )
            for page in pages:
                keys += [{"AlertId": from_item(item)["AlertId"]} for item in page["Items"]]
                if limit is not None and len(keys) >= limit:
                    break
            return _newest_first(item for item in fetch(self._aws.dynamodb, self._table, keys[:limit]) if "ImageId" in item)

    def count_of_rule(self, rule_id: str) -> int:
        """The number of all alerts that a rule has had."""
        with aws_call("count the rule's alerts (dynamodb:Query on the index ByRule)"):
            pages = self._aws.dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="ByRule",
                KeyConditionExpression="RuleId = :rule",
                ExpressionAttributeValues=to_item({":rule": rule_id}),
                Select="COUNT",
            )
            return sum(page["Count"] for page in pages)

    def one(self, alert_id: str) -> StoredAlert:
        """The record of an alert."""
        _check_id(alert_id)
        with aws_call("read the alert (dynamodb:GetItem)"):
            answer = self._aws.dynamodb.get_item(TableName=self._table, Key={"AlertId": {"S": alert_id}})
        if "Item" not in answer:
            raise CommandError(_NO_ALERT.format(alert_id))
        return StoredAlert.from_item(from_item(answer["Item"]))

    def rule(self, rule_id: str) -> RuleTerms | None:
        """The terms of a rule; None when there is no such rule."""
        with aws_call("read the rule (dynamodb:GetItem)"):
            answer = self._aws.dynamodb.get_item(TableName=self._watchlist, Key={"RuleId": {"S": rule_id}})
        return RuleTerms.from_item(from_item(answer["Item"])) if "Item" in answer else None

    def mark(self, alert_id: str, note: str | None) -> StoredAlert:
        """Marks an alert as wrong. Returns the marked alert."""
        mark = Mark(self._who(), iso_now(), note or "")
        return self._change(alert_id, "SET NotThis = :mark", to_item({":mark": mark.to_item()}))

    def unmark(self, alert_id: str) -> StoredAlert:
        """Removes the mark. Returns the alert."""
        return self._change(alert_id, "REMOVE NotThis", {})

    def test(self, channel_ids: Sequence[str]) -> list[ChannelTest]:
        """Sends a test through each of these channels, from the function that checks channels."""
        (function,) = find_outputs(self._aws, self._stack, "CheckChannelsFunctionName")
        with aws_call(f"send a test (lambda:InvokeFunction on {function})"):
            answer = self._aws.functions.invoke(FunctionName=function, Payload=json.dumps({"Test": list(channel_ids)}).encode())
            payload = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise CommandError(f"the function {function} failed: {payload.get('errorMessage', payload)}. See its log.")
        return [ChannelTest.from_item(entry) for entry in payload["Channels"]]

    def _change(self, alert_id: str, update: str, values: Mapping[str, Any]) -> StoredAlert:
        _check_id(alert_id)
        try:
            with aws_call("mark the alert (dynamodb:UpdateItem)"):
                answer = self._aws.dynamodb.update_item(
                    TableName=self._table,
                    Key={"AlertId": {"S": alert_id}},
                    UpdateExpression=update,
                    ConditionExpression="attribute_exists(AlertId)",
                    ReturnValues="ALL_NEW",
                    **({"ExpressionAttributeValues": values} if values else {}),  # type: ignore[arg-type]
                )
        except CommandError as error:
            if isinstance(error.__cause__, ClientError) and "ConditionalCheck" in error.__cause__.response["Error"]["Code"]:
                raise CommandError(_NO_ALERT.format(alert_id)) from error
            raise
        return StoredAlert.from_item(from_item(answer["Attributes"]))

    def _who(self) -> str:
        """The name of the AWS identity: the end of its ARN."""
        try:
            return str(self._aws.sts.get_caller_identity()["Arn"]).rpartition(":")[2]
        except AWS_ERRORS:  # the mark matters more than its author
            return "unknown"


def _newest_first(items: Iterable[Mapping[str, Any]]) -> list[StoredAlert]:
    return sorted(map(StoredAlert.from_item, items), key=lambda alert: alert.created_at, reverse=True)


def _check_id(alert_id: str) -> None:
    if not _ALERT_ID.fullmatch(alert_id):
        raise UsageError(f"{alert_id!r} is not an alert's id (32 digits of 0-9 and a-f). `imagewatch alerts list` shows the ids.")
