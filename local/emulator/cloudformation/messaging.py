"""Deploys queues, topics, subscriptions and event rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from local.emulator.cloudformation.deployment import Deployment
from local.emulator.cloudformation.registry import Created, supports
from local.emulator.events.schedules import next_after
from tools.sam_template import ACCOUNT_ID, Json


@supports(
    "AWS::SQS::Queue",
    "QueueName",
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "DelaySeconds",
    "MaximumMessageSize",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
    "KmsMasterKeyId",
    "Tags",
)
def queue(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("QueueName") or deployment.generated_name(logical_id)
    skipped = ("QueueName", "Tags")
    attributes = {key: _attribute(value) for key, value in properties.items() if key not in skipped}
    deployment.client("sqs").create_queue(QueueName=name, Attributes=attributes)
    url = f"{deployment.endpoint}/{ACCOUNT_ID}/{name}"
    return Created(url, {"Arn": deployment.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def _attribute(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


@supports("AWS::SQS::QueuePolicy", "Queues", "PolicyDocument")
def queue_policy(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    document = json.dumps(properties["PolicyDocument"])
    for url in properties["Queues"]:
        deployment.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    return Created(deployment.generated_name(logical_id))


@supports("AWS::SNS::Topic", "TopicName", "DisplayName", "KmsMasterKeyId", "TracingConfig", "Tags")
def topic(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("TopicName") or deployment.generated_name(logical_id)
    known = ("DisplayName", "KmsMasterKeyId", "TracingConfig")
    attributes = {key: str(properties[key]) for key in known if key in properties}
    arn = deployment.client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
    return Created(arn, {"TopicArn": arn, "TopicName": name})


@supports("AWS::SNS::TopicPolicy", "Topics", "PolicyDocument")
def topic_policy(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    document = json.dumps(properties["PolicyDocument"])
    for arn in properties["Topics"]:
        deployment.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)
    return Created(deployment.generated_name(logical_id))


@supports("AWS::SNS::Subscription", "TopicArn", "Protocol", "Endpoint")
def subscription(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    answer = deployment.client("sns").subscribe(**properties, ReturnSubscriptionArn=True)
    return Created(answer["SubscriptionArn"])


@supports(
    "AWS::Events::Rule",
    "Name",
    "Description",
    "EventPattern",
    "ScheduleExpression",
    "State",
    "Targets.Id",
    "Targets.Arn",
    "Targets.Input",
    "Targets.RetryPolicy",
    "Targets.DeadLetterConfig",
)
def rule(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    events = deployment.client("events")
    name = properties.get("Name") or deployment.generated_name(logical_id)
    copied = ("Description", "State", "ScheduleExpression")
    known: dict[str, Any] = {key: properties[key] for key in copied if key in properties}
    if "ScheduleExpression" in properties:
        next_after(properties["ScheduleExpression"], datetime.now(UTC))  # raises ValueError for an unsupported expression
    if "EventPattern" in properties:
        known["EventPattern"] = json.dumps(properties["EventPattern"])
    events.put_rule(Name=name, **known)
    events.put_targets(Rule=name, Targets=properties.get("Targets", []))
    return Created(name, {"Arn": deployment.arn("events", f"rule/{name}")})
