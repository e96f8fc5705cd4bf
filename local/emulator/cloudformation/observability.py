"""Deploys log groups and alarms."""

from __future__ import annotations

from local.emulator.cloudformation.deployment import Deployment
from local.emulator.cloudformation.registry import Created, supports
from tools.sam_template import Json


@supports("AWS::Logs::LogGroup", "LogGroupName", "RetentionInDays", "Tags")
def log_group(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    logs = deployment.client("logs")
    name = properties.get("LogGroupName") or deployment.generated_name(logical_id)
    logs.create_log_group(logGroupName=name)
    if days := properties.get("RetentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Created(name, {"Arn": deployment.arn("logs", f"log-group:{name}:*")})


@supports(
    "AWS::CloudWatch::Alarm",
    "AlarmName",
    "AlarmDescription",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "Unit",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
)
def alarm(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("AlarmName") or deployment.generated_name(logical_id)
    numbers = {"Period": int, "EvaluationPeriods": int, "DatapointsToAlarm": int, "Threshold": float}
    arguments = {key: numbers[key](value) if key in numbers else value for key, value in properties.items()}
    deployment.client("cloudwatch").put_metric_alarm(**{**arguments, "AlarmName": name})
    return Created(name, {"Arn": deployment.arn("cloudwatch", f"alarm:{name}")})
