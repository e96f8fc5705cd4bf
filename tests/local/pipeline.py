"""Operations of tests on a running stack: upload images, read records, histories and e-mails, inject faults."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

from imagewatch.aws.dynamodb import from_item, to_item
from imagewatch.images.version import image_id

from .running_stack import RunningStack

TERMINAL = ("ANALYZED", "REJECTED", "FAILED")


class Pipeline:
    """A running stack, its outputs and its images bucket."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        described = stack.client("cloudformation").describe_stacks(StackName="imagewatch")["Stacks"][0]
        self.outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in described["Outputs"]}
        self.bucket = self.outputs["ImagesBucketName"]

    def upload(self, body: bytes, name: str = "photo.jpg") -> str:
        """Upload bytes under a new key. Returns the key."""
        key = f"uploads/{uuid.uuid4().hex[:8]}/{name}"
        self.stack.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def record(self, key: str) -> dict[str, Any] | None:
        table, wanted = self.outputs["ImagesTableName"], to_item({"ImageId": image_id(self.bucket, key)})
        answer = self.stack.client("dynamodb").get_item(TableName=table, Key=wanted, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def ended(self, key: str, seconds: float = 60) -> dict[str, Any]:
        """The record, when the analysis and the execution have ended."""

        def over() -> dict[str, Any] | None:
            record = self.record(key)
            if record is None or record["Status"] not in TERMINAL:
                return None
            return record if self.execution(record)["status"] != "RUNNING" else None

        self.eventually(lambda: over() is not None, f"{key} did not end: {self.record(key)}", seconds)
        record = over()
        assert record is not None
        return record

    def eventually(self, condition: Callable[[], bool], otherwise: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.1)

    def execution(self, record: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.stack.client("stepfunctions").describe_execution(executionArn=record["ExecutionArn"])
        return answer

    def states(self, record: dict[str, Any]) -> list[str]:
        """The names of the states that the image's execution entered, in order. Empty before it has started.

        Start Analysis writes the record before it starts the execution.
        """
        client = self.stack.client("stepfunctions")
        entered = []
        try:
            for page in client.get_paginator("get_execution_history").paginate(executionArn=record["ExecutionArn"]):
                entered += [e["stateEnteredEventDetails"]["name"] for e in page["events"] if "stateEnteredEventDetails" in e]
        except client.exceptions.ExecutionDoesNotExist:
            return []
        return entered

    def mail_about(self, key: str) -> list[dict[str, Any]]:
        with urlopen(f"{self.stack.endpoint}/_local/mailbox") as answer:
            return [mail for mail in json.load(answer) if key in mail["body"]]

    def fault(self, **fault: Any) -> None:
        body = json.dumps(fault).encode()
        with urlopen(Request(f"{self.stack.endpoint}/_local/faults", body, {"Content-Type": "application/json"})) as answer:
            assert answer.status in (200, 201)

    def clear(self) -> None:
        """Remove all faults and rules."""
        with urlopen(Request(f"{self.stack.endpoint}/_local/faults", method="DELETE")):
            table, dynamodb = self.outputs["WatchlistTableName"], self.stack.client("dynamodb")
            for item in dynamodb.scan(TableName=table)["Items"]:
                dynamodb.delete_item(TableName=table, Key={"RuleId": item["RuleId"]})

    def watch(self, term: str, confidence: float = 50, **more: Any) -> None:
        rule: dict[str, Any] = {"RuleId": f"watch-{term}", "Name": f"Looking for {term}", "Enabled": True, **more}
        rule["Terms"] = [{"Term": term, "MinConfidence": confidence}]
        self.stack.client("dynamodb").put_item(TableName=self.outputs["WatchlistTableName"], Item=to_item(rule))

    def function(self, part: str) -> str:
        listed = self.stack.client("lambda").list_functions()["Functions"]
        (name,) = [function["FunctionName"] for function in listed if part in function["FunctionName"]]
        return str(name)
