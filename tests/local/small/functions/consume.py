"""Takes every message but those that say so."""


def handler(event, context):
    failed = [record["messageId"] for record in event["Records"] if record["body"] == "refuse"]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
