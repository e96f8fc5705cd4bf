"""Reads an execution with its history."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.images.trace import cause_of, details_of, iso, milliseconds, steps
from local.viewer.stack import Stack

MAX_EVENTS = 3000


def execution(stack: Stack, arn: str) -> dict[str, Any] | None:
    """The execution with its `Steps` (states) and `Events`, or None if it doesn't exist.

    Times are in ISO 8601. Names that end in Ms are in milliseconds.
    """
    client = stack.client("stepfunctions")
    try:
        described = client.describe_execution(executionArn=arn)
        events = _events(client, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn", "ValidationException"):
            return None
        raise
    found = {
        "Arn": arn,
        "EndpointUrl": stack.endpoint_url,
        "Name": described["name"],
        "Status": described["status"],
        "StartedAt": iso(described.get("startDate")),
        "StoppedAt": iso(described.get("stopDate")),
        "DurationMs": milliseconds(described.get("startDate"), described.get("stopDate")),
        "Error": described.get("error"),
        "Cause": cause_of(described.get("cause")),
        "ImageId": _image_id(described.get("input")),
        "Steps": steps(events),
        "Events": [_shown(event, events[0]["timestamp"]) for event in events],
    }
    return {name: value for name, value in found.items() if value is not None}


def _events(client: Any, arn: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn, PaginationConfig={"PageSize": 1000, "MaxItems": MAX_EVENTS}
    )
    return [event for page in pages for event in page["events"]]


def _shown(event: dict[str, Any], start: datetime) -> dict[str, Any]:
    details = details_of(event)
    return {
        "Id": event["id"],
        "Type": event["type"],
        "At": iso(event["timestamp"]),
        "AfterMs": milliseconds(start, event["timestamp"]),
        "State": details.get("name"),
        "Details": json.dumps(details, indent=2, ensure_ascii=False, default=str) if details else None,
    }


def _image_id(given: str | None) -> str | None:
    try:
        return str(json.loads(given or "")["image"]["ImageId"])
    except (ValueError, KeyError, TypeError):
        return None
