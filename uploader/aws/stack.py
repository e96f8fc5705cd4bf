"""Finds the bucket and the tables of a deployment through its CloudFormation stack's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from uploader.aws.errors import AWS_ERRORS, NOT_AWS, explain
from uploader.aws.session import LOCAL_ENDPOINT, Aws
from uploader.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef


@dataclass(frozen=True)
class Stack:
    """The resources of a deployed stack that an upload uses."""

    images_bucket: str
    images_table: str
    renditions_bucket: str


def find_stack(aws: Aws, name: str) -> Stack:
    """The resources of the stack `name`. Raises CommandError when the stack or an output is missing."""
    return Stack(*find_outputs(aws, name, "ImagesBucketName", "ImagesTableName", "RenditionsBucketName"))


def find_outputs(aws: Aws, name: str, *wanted: str) -> list[str]:
    """These outputs of the stack `name`, in this order. Raises CommandError when the stack or an output is missing."""
    try:
        outputs = {item["OutputKey"]: item["OutputValue"] for item in _describe(aws, name).get("Outputs", [])}
    except AWS_ERRORS as error:  # raised while the session is made: profile, region
        raise CommandError(explain(error, "use this profile").text) from error
    missing = [output for output in wanted if not outputs.get(output)]
    if missing:
        raise CommandError(
            f"the stack {name} has no output {' and no '.join(missing)}, so it isn't a complete deployment of "
            "Imagewatch. Deploy it (`sam build && sam deploy`), or name another stack with --stack."
        )
    return [outputs[output] for output in wanted]


def find_parameter(aws: Aws, name: str, parameter: str) -> str:
    """The value of a parameter of the stack `name`; empty when the stack has no such parameter."""
    return find_parameters(aws, name).get(parameter, "")


def find_parameters(aws: Aws, name: str) -> dict[str, str]:
    """The values of the parameters of the stack `name`."""
    found = _describe(aws, name).get("Parameters", [])
    return {str(item["ParameterKey"]): str(item.get("ParameterValue", "")) for item in found}


def _describe(aws: Aws, name: str) -> StackTypeDef:
    try:
        described = aws.cloudformation.describe_stacks(StackName=name)
        return described["Stacks"][0]
    except KeyError as error:  # a web page that botocore could read as XML
        raise CommandError(NOT_AWS) from error
    except AWS_ERRORS as error:
        if _is_missing(error):
            raise CommandError(_no_stack(aws, name)) from error
        raise CommandError(explain(error, f"read the stack {name} (cloudformation:DescribeStacks)").text) from error
    except ValueError as error:  # botocore: an endpoint that is no URL
        raise CommandError(f"{error}. Write it like --endpoint-url {LOCAL_ENDPOINT}.") from error


def _is_missing(error: Exception) -> bool:
    """Whether the stack doesn't exist. CloudFormation has no error code for it, only ValidationError "... does not exist"."""
    return isinstance(error, ClientError) and "does not exist" in error.response["Error"].get("Message", "")


def _no_stack(aws: Aws, name: str) -> str:
    where = aws.endpoint or f"the region {aws.cloudformation.meta.region_name}"
    local = "" if aws.endpoint else f" For the local stack, use --endpoint-url {LOCAL_ENDPOINT} or AWS_ENDPOINT_URL."
    return (
        f"there is no stack named {name} at {where}. Deploy it (`sam build && sam deploy --guided`), name another with "
        f"--stack, or choose another place with --region or --profile.{local}"
    )
