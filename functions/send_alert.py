"""Send Alert: one message for each matched rule, channel and image version, however often it is retried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.errors import TransientError, Unavailable
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger, task
from imagewatch.services.delivery import OUTCOMES, Delivery, Opened

RESERVE_SECONDS = 15  # with less left, the next alert is better left to the next attempt than cut off in the middle


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image, Rules and Moderation; returns how many alerts were sent, suppressed, queued for a digest and so on.

    All alerts are written before the first is sent: what is cut off or given up then still waits for a digest. Each rule has its
    turn whatever befalls another; then what a retry can heal is raised, and what it can't last.
    """
    delivery = Delivery(ImageVersion.from_state(event["Image"]), event["Moderation"], event["ExecutionArn"])
    outcome, opened, errors = dict.fromkeys(OUTCOMES, 0), list[Opened](), list[Exception]()
    for rule in event["Rules"]:
        try:
            opened.append(delivery.open(rule))
        except Exception as error:  # noqa: BLE001 (raised below, once the others have had their turn)
            errors.append(_told(error, rule))
    for alert in opened:
        if context.get_remaining_time_in_millis() < RESERVE_SECONDS * 1000:
            errors.append(Unavailable("Not all alerts could be sent in the time of one attempt; the next goes on."))
            break
        try:
            outcome[delivery.send(alert)] += 1
        except Exception as error:  # noqa: BLE001
            errors.append(_told(error, alert.rule))
    if errors:
        raise next((error for error in errors if isinstance(error, TransientError)), errors[0])
    return outcome


def _told(error: Exception, rule: Mapping[str, Any]) -> Exception:
    logger.warning("An alert could not be dealt with.", rule=rule.get("Name"), error=type(error).__name__, reason=str(error))
    return error
