"""Accepts all messages except those with the body "refuse"."""


def handler(event, context):
    failed = [record["messageId"] for record in event["Records"] if record["body"] == "refuse"]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
