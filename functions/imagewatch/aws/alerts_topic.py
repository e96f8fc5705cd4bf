"""The AlertsTopic: where alerts leave for people's mailboxes."""

from __future__ import annotations

from imagewatch.alerts import Alert
from imagewatch.aws.clients import client, translated
from imagewatch.aws.environment import setting


def publish(alert: Alert) -> str:
    """Publishes the alert; returns SNS's message id."""
    with translated():
        answer = client("sns").publish(
            TopicArn=setting("ALERTS_TOPIC_ARN"),
            Subject=alert.subject,
            Message=alert.body,
            MessageAttributes={"RuleId": {"DataType": "String", "StringValue": alert.rule_id}},
        )
    return str(answer["MessageId"])
