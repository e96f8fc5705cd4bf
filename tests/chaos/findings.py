"""Collects what a run left in a stack: records, index rows, renditions, executions, alerts and e-mails."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from imagewatch.aws.dynamodb import from_item
from tests.index_rows import StoredRow, stored_rows
from tests.local.pipeline import Pipeline

Record = dict[str, Any]
ALERT = re.compile(r"Your rule |\d+ of your rules ")  # the beginning of an e-mail about one image


@dataclass(frozen=True)
class Run:
    """One execution: its image version, its status, and the number of crashed attempts of each function."""

    key: str
    version_id: str
    version: str
    """The version's name in records and alerts."""
    status: str
    arn: str
    deaths: Counter[str]


@dataclass(frozen=True)
class Evidence:
    """Everything in the stack at one moment."""

    records: dict[str, Record]
    """By key."""
    rows: set[StoredRow]
    renditions: set[str]
    runs: list[Run]
    alerts: list[Record]
    mails: Counter[tuple[str, str]]
    """The number of e-mails for each (execution ARN, rule id)."""
    reported_in_digests: int
    """The number of matches in all digests. A digest that was sent twice counts once."""


def gather(pipeline: Pipeline) -> Evidence:
    records = {record["Key"]: record for record in items(pipeline, "ImagesTable")}
    rows = set(stored_rows(items(pipeline, "SearchIndexTable")))
    pages = pipeline.stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=pipeline.outputs["RenditionsBucketName"])
    renditions = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
    alerts = [item for item in items(pipeline, "AlertsTable") if "RuleId" in item]
    received = bodies(pipeline)
    mails = Counter(
        (_found(r"/executions/(\S+)", body), rule_id)
        for body in received
        if ALERT.match(body)
        for rule_id in re.findall(r"imagewatch rules edit (\S+) --cooldown", body)
    )
    digests = {body: re.findall(r'^(\d+) match(?:es)? of "', body, re.MULTILINE) for body in received if not ALERT.match(body)}
    in_digests = sum(int(number) for numbers in digests.values() for number in numbers)
    return Evidence(records, rows, renditions, runs(pipeline), alerts, mails, in_digests)


def items(pipeline: Pipeline, table: str) -> list[Record]:
    pages = pipeline.stack.client("dynamodb").get_paginator("scan").paginate(TableName=pipeline.outputs[f"{table}Name"])
    return [from_item(item) for page in pages for item in page["Items"]]


def runs(pipeline: Pipeline) -> list[Run]:
    states = pipeline.stack.client("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=pipeline.outputs["StateMachineArn"])
    found = []
    for arn in [execution["executionArn"] for page in pages for execution in page["executions"]]:
        described = states.describe_execution(executionArn=arn)
        image = json.loads(described["input"])["image"]
        deaths = attempts_that_died(states, arn)
        found.append(Run(image["Key"], image["VersionId"], image["Version"], described["status"], arn, deaths))
    return found


def attempts_that_died(states: Any, arn: str) -> Counter[str]:
    """The number of attempts of each function that ended with the end of its process."""
    deaths: Counter[str] = Counter()
    by_id: dict[int, dict[str, Any]] = {}
    for page in states.get_paginator("get_execution_history").paginate(executionArn=arn):
        for event in page["events"]:
            by_id[event["id"]] = event
            if event.get("lambdaFunctionFailedEventDetails", {}).get("error") == "Runtime.ExitError":
                while "lambdaFunctionScheduledEventDetails" not in event:
                    event = by_id[event["previousEventId"]]
                deaths[event["lambdaFunctionScheduledEventDetails"]["resource"].rsplit(":", 1)[-1]] += 1
    return deaths


def bodies(pipeline: Pipeline) -> list[str]:
    with urlopen(f"{pipeline.stack.endpoint}/_local/mailbox") as answer:
        return [mail["body"] for mail in json.load(answer)]


def _found(pattern: str, body: str) -> str:
    found = re.search(pattern, body)
    assert found, body
    return found[1]
