"""Finds the bucket and the tables of a deployment through its CloudFormation stack's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from uploader.aws.errors import AWS_ERRORS, explain
from uploader.aws.session import LOCAL_ENDPOINT, Aws
from uploader.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

DEFAULT_STACK = "imagewatch"


@dataclass(frozen=True)
class Stack:
    """The names that a command needs of a deployed stack."""

    images_bucket: str
    images_table: str
    renditions_bucket: str


def find_stack(aws: Aws, name: str) -> Stack:
    """The stack `name` as an upload needs it; raises CommandError, saying what to do, when it or an output is missing."""
    return Stack(*find_outputs(aws, name, "ImagesBucketName", "ImagesTableName", "RenditionsBucketName"))


def find_outputs(aws: Aws, name: str, *wanted: str) -> list[str]:
    """These outputs of the stack `name`, in this order; raises CommandError like `find_stack`."""
    try:
        outputs = {item["OutputKey"]: item["OutputValue"] for item in _describe(aws, name).get("Outputs", [])}
    except AWS_ERRORS as error:  # raised while the session is made: profile, region
        raise CommandError(explain(error, "use this profile").text) from error
    missing = [output for output in wanted if not outputs.get(output)]
    if missing:
        raise CommandError(
            f"the stack {name} has no output {' and no '.join(missing)}, so it isn't a finished deployment of "
            "Imagewatch. Deploy it (`sam build && sam deploy`), or name the right one with --stack."
        )
    return [outputs[output] for output in wanted]


def find_parameter(aws: Aws, name: str, parameter: str) -> str:
    """What a parameter of the stack `name` is set to; empty when it has none of this name."""
    return find_parameters(aws, name).get(parameter, "")


def find_parameters(aws: Aws, name: str) -> dict[str, str]:
    """What the parameters of the stack `name` are set to."""
    found = _describe(aws, name).get("Parameters", [])
    return {str(item["ParameterKey"]): str(item.get("ParameterValue", "")) for item in found}


def _describe(aws: Aws, name: str) -> StackTypeDef:
    try:
        return aws.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except AWS_ERRORS as error:
        if _says_there_is_none(error):
            raise CommandError(_no_stack(aws, name)) from error
        raise CommandError(explain(error, f"read the stack {name} (cloudformation:DescribeStacks)").text) from error
    except ValueError as error:  # botocore: an endpoint that is no URL
        raise CommandError(f"{error}. Give it like --endpoint-url {LOCAL_ENDPOINT}.") from error


def _says_there_is_none(error: Exception) -> bool:
    """CloudFormation has no error code of its own for it: it answers ValidationError "... does not exist"."""
    return isinstance(error, ClientError) and "does not exist" in error.response["Error"].get("Message", "")


def _no_stack(aws: Aws, name: str) -> str:
    where = aws.endpoint or f"the region {aws.cloudformation.meta.region_name}"
    local = "" if aws.endpoint else f" For the local stack, use --endpoint-url {LOCAL_ENDPOINT} or AWS_ENDPOINT_URL."
    return (
        f"there is no stack named {name} at {where}. Deploy it (`sam build && sam deploy --guided`), name another with "
        f"--stack, or look in another place with --region or --profile.{local}"
    )
