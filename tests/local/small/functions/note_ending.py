"""Stores the event about the end of an execution."""

import json
import os

import boto3


def handler(event, context):
    boto3.client("dynamodb").put_item(
        TableName=os.environ["TABLE"],
        Item={"Id": {"S": event["detail"]["executionArn"]}, "Event": {"S": json.dumps(event)}},
    )
