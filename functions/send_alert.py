"""Send Alert: one message for each matched rule, channel and image version, also when it is retried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.errors import TransientError, Unavailable
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger, task
from imagewatch.services.delivery import OUTCOMES, AlertSender, RecordedAlert

RESERVE_SECONDS = 15  # with less time left, the next alert is left to the next attempt


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image, Rules and Moderation; returns the number of alerts by outcome.

    All alerts are recorded before the first is sent: if this attempt is interrupted, a digest sends the rest. One rule's error
    does not stop the others. Transient errors are raised first, then permanent ones.
    """
    sender = AlertSender(ImageVersion.from_state(event["Image"]), event["Moderation"], event["ExecutionArn"])
    outcome, recorded, errors = dict.fromkeys(OUTCOMES, 0), list[RecordedAlert](), list[Exception]()
    for rule in event["Rules"]:
        try:
            recorded.append(sender.record(rule))
        except Exception as error:  # noqa: BLE001 (raised below, after the other rules)
            errors.append(_logged(error, rule))
    for alert in recorded:
        if context.get_remaining_time_in_millis() < RESERVE_SECONDS * 1000:
            errors.append(Unavailable("Not all alerts could be sent in the time of one attempt. The next attempt continues."))
            break
        try:
            outcome[sender.send(alert)] += 1
        except Exception as error:  # noqa: BLE001
            errors.append(_logged(error, alert.rule))
    if errors:
        raise next((error for error in errors if isinstance(error, TransientError)), errors[0])
    return outcome


def _logged(error: Exception, rule: Mapping[str, Any]) -> Exception:
    logger.warning("An alert could not be processed.", rule=rule.get("Name"), error=type(error).__name__, reason=str(error))
    return error
