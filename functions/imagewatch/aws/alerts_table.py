"""The AlertsTable: each alert is written first, published second and marked sent third, so that a retry knows where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.alerts import FAILED, PENDING, SENT, Alert
from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.environment import setting
from imagewatch.aws.items import set_expression, to_item
from imagewatch.images import ImageVersion


def open_alert(alert: Alert, image: ImageVersion, rule: Mapping[str, Any], now: str) -> bool:
    """Writes the alert as pending; False when it has been sent already, and must not be sent again.

    An alert that is still pending was interrupted between writing and marking: it is opened again.
    """
    values = {
        "RuleId": alert.rule_id,
        "RuleName": alert.rule_name,
        "Rule": rule,
        "ImageId": image.image_id,
        "Version": image.version,
        "Bucket": image.bucket,
        "Key": image.key,
        "Subject": alert.subject,
        "Status": PENDING,
    }
    sets, names, bound = set_expression(values)
    try:
        with translated():
            client("dynamodb").update_item(
                TableName=setting("ALERTS_TABLE"),
                Key=to_item({"AlertId": alert.alert_id}),
                UpdateExpression=f"{sets}, CreatedAt = if_not_exists(CreatedAt, :now)",
                ConditionExpression="attribute_not_exists(AlertId) OR #Status <> :sent",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=bound | to_item({":now": now, ":sent": SENT}),
            )
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def mark_sent(alert: Alert, message_id: str, now: str) -> None:
    """Records that the alert went out."""
    _mark(alert, {"Status": SENT, "SentAt": now, "MessageId": message_id})


def mark_failed(alert: Alert, reason: str) -> None:
    """Records that the alert can't be sent, and why."""
    _mark(alert, {"Status": FAILED, "Reason": reason})


def mark_delayed(alert: Alert, reason: str) -> None:
    """Records why the alert has not gone out yet; it stays pending for the retry."""
    _mark(alert, {"Reason": reason})


def _mark(alert: Alert, values: Mapping[str, Any]) -> None:
    sets, names, bound = set_expression(values)
    with translated():
        client("dynamodb").update_item(
            TableName=setting("ALERTS_TABLE"),
            Key=to_item({"AlertId": alert.alert_id}),
            UpdateExpression=sets,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=bound,
        )
