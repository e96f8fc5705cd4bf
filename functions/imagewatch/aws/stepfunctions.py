"""Step Functions: starting the one execution of an image version, and the links that people follow."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.settings import setting
from imagewatch.images.version import ImageVersion


def execution_arn(name: str) -> str:
    """The ARN that an execution of this name has."""
    return f"{setting('STATE_MACHINE_ARN').replace(':stateMachine:', ':execution:')}:{name}"


def execution_url(arn: str) -> str:
    """The execution's page in the Step Functions console."""
    region = arn.split(":")[3]
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"


def links(name: str) -> dict[str, str]:
    """What a record says of the execution that analyses it."""
    arn = execution_arn(name)
    return {"ExecutionArn": arn, "ExecutionUrl": execution_url(arn)}


def prepare() -> None:
    """Makes the client, which takes a tenth of a second the first time: too long for between a slot and its start."""
    client("stepfunctions")


def start(image: ImageVersion, name: str) -> bool:
    """Starts the execution; False when one of this name has been started before, which is as good."""
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
