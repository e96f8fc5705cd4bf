"""Step Functions: starts the execution of an image version, and describes executions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.settings import setting
from imagewatch.images.links import execution_url
from imagewatch.images.version import ImageVersion, sha256_hex

MAX_EVENTS = 3000
"""Events of an execution's history that are read. An analysis has about a hundred."""


@dataclass(frozen=True)
class Execution:
    """An execution as DescribeExecution shows it."""

    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PENDING_REDRIVE."""
    error: str
    cause: str
    image: ImageVersion

    @property
    def has_ended(self) -> bool:
        return self.status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def execution_arn(name: str) -> str:
    """The ARN of an execution of this name."""
    return f"{setting('STATE_MACHINE_ARN').replace(':stateMachine:', ':execution:')}:{name}"


def links(name: str) -> dict[str, str]:
    """The attributes of a record that refer to its execution: ARN and console page."""
    arn = execution_arn(name)
    return {"ExecutionArn": arn, "ExecutionUrl": execution_url(arn)}


def prepare() -> None:
    """Creates the client, which takes a tenth of a second: too long for the time between a slot and its start."""
    client("stepfunctions")


def continue_run(machine: str, execution: str, values: Mapping[str, Any]) -> str:
    """Starts the one execution that continues another one, with this input. Returns its ARN, also when it was started before."""
    name = f"continued-{sha256_hex(execution)[:32]}"
    try:
        with translated():
            answer = client("stepfunctions").start_execution(
                stateMachineArn=machine, name=name, input=json.dumps(values, ensure_ascii=False)
            )
    except ClientError as error:
        if error_code(error) == "ExecutionAlreadyExists":
            return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        raise
    return str(answer["executionArn"])


def start(image: ImageVersion, name: str) -> bool:
    """Starts the execution; False when one of this name was started before."""
    try:
        with translated():
            client("stepfunctions").start_execution(
                stateMachineArn=setting("STATE_MACHINE_ARN"),
                name=name,
                input=json.dumps({"image": image.to_state()}, ensure_ascii=False),
            )
    except ClientError as error:
        if error_code(error) == "ExecutionAlreadyExists":
            return False
        raise
    return True


def describe(arn: str) -> Execution | None:
    """The execution; None when there is none: it was never started, or ended more than 90 days ago."""
    try:
        with translated():
            found = client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return None
        raise
    image = ImageVersion.from_state(json.loads(found["input"])["image"])
    return Execution(found["status"], found.get("error", ""), found.get("cause", ""), image)


def history(arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """(answer of DescribeExecution, its first MAX_EVENTS events); None when there is no such execution any more."""
    try:
        with translated():
            described = client("stepfunctions").describe_execution(executionArn=arn)
            pages = (
                client("stepfunctions")
                .get_paginator("get_execution_history")
                .paginate(executionArn=arn, PaginationConfig={"PageSize": 1000, "MaxItems": MAX_EVENTS})
            )
            return described, [event for page in pages for event in page["events"]]
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return None
        raise
