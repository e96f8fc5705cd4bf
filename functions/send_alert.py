"""Send Alert: one message for each matched rule and image version, however often it is retried."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from imagewatch import alerts
from imagewatch.aws import alerts_table, alerts_topic, links
from imagewatch.errors import ImagewatchError
from imagewatch.images import ImageVersion
from imagewatch.intake import iso_utc
from imagewatch.observability import count, logger, task


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image, Rules and Moderation; returns how many alerts were sent, had been sent before, and can't be sent.

    What a retry can heal is raised once the other rules have had their turn.
    """
    image = ImageVersion.from_state(event["Image"])
    delayed: list[ImagewatchError] = []
    outcome = {"Sent": 0, "SentBefore": 0, "Failed": 0}
    history = links.history_url(event["ExecutionArn"])
    for rule in event["Rules"]:
        alert = alerts.compose(image, rule, event["Moderation"], links.image_url(image), history)
        try:
            outcome[send(alert, image, rule)] += 1
        except ImagewatchError as error:
            delayed.append(error)
    if delayed:
        raise delayed[0]
    return outcome


def send(alert: alerts.Alert, image: ImageVersion, rule: Mapping[str, Any]) -> str:
    """Writes, publishes, marks. Raises Throttled or Unavailable, with the alert left pending and its reason recorded."""
    if not alerts_table.open_alert(alert, image, rule, iso_utc(datetime.now(UTC))):
        logger.info("Alert had been sent.", alert_id=alert.alert_id)
        return "SentBefore"
    try:
        message_id = alerts_topic.publish(alert)
    except ImagewatchError as error:
        alerts_table.mark_delayed(alert, f"Not sent yet: {error}")
        raise
    except ClientError as error:
        alerts_table.mark_failed(alert, f"Could not be sent: {error}")
        logger.error("Alert could not be sent.", alert_id=alert.alert_id, reason=str(error))
        count("AlertsFailed")
        return "Failed"
    alerts_table.mark_sent(alert, message_id, iso_utc(datetime.now(UTC)))
    logger.info("Alert sent.", alert_id=alert.alert_id, rule=alert.rule_name)
    count("AlertsSent")
    return "Sent"
