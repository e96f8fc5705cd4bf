"""Permissions that AWS itself uses with Imagewatch's roles, outside of Imagewatch's code: each with its reason and its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .recorded_calls import Account

EVERY_FUNCTION = "every function's role"
EVERY_STATE_MACHINE = "every state machine's role"
_STREAM = "log-stream:2026/11/20/[$LATEST]0123456789abcdef"


@dataclass(frozen=True)
class PlatformPermission:
    """What AWS does with one of the roles. `resource` returns the ARN in the request; `source` names the page that says so."""

    role: str
    actions: tuple[str, ...]
    resource: Callable[[Account], str]
    reason: str
    source: str


PLATFORM_PERMISSIONS = (
    PlatformPermission(
        EVERY_FUNCTION,
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        lambda account: account.arn("FunctionsLogGroup").replace(":*", f":{_STREAM}"),
        "Lambda writes a function's output to its log group with the function's role; the group itself is the template's.",
        "Lambda developer guide, Sending Lambda function logs to CloudWatch Logs: AWSLambdaBasicExecutionRole",
    ),
    PlatformPermission(
        EVERY_FUNCTION,
        ("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
        lambda account: "*",
        "With active tracing, Lambda uploads a function's segments with the function's role.",
        "Lambda developer guide, Visualize Lambda function invocations using AWS X-Ray: execution role permissions",
    ),
    PlatformPermission(
        "StartAnalysisRole",
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        lambda account: account.arn("IntakeQueue"),
        "Lambda polls the queue of an event source mapping with the function's role.",
        "Lambda developer guide, Creating and configuring an Amazon SQS event source mapping: execution role permissions",
    ),
    PlatformPermission(
        EVERY_STATE_MACHINE,
        (
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ),
        lambda account: "*",
        "Step Functions sets up its log's delivery, and the log groups' resource policy, with the state machine's role.",
        "Step Functions developer guide, Using CloudWatch Logs to log execution history: IAM policies for logging",
    ),
    PlatformPermission(
        EVERY_STATE_MACHINE,
        ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
        lambda account: "*",
        "With tracing, Step Functions samples and uploads its segments with the state machine's role.",
        "Step Functions developer guide, IAM policies for AWS X-Ray",
    ),
)
