"""Send Alert: one message on each channel about the rules that matched an image version, also when it is retried."""

from __future__ import annotations

from typing import Any

from imagewatch.images.version import ImageVersion
from imagewatch.observability import task
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.services.delivery import OUTCOMES, AlertSender

RESERVE_SECONDS = 15  # with less time left, the next message is left to the next attempt


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image, Rules and Moderation; returns the number of alerts by outcome.

    All alerts are recorded before the first is sent: if this attempt is interrupted, a digest sends the rest. One rule's error
    does not stop the others. Transient errors are raised first, then permanent ones.
    """
    sender = AlertSender(ImageVersion.from_state(event["Image"]), event["Moderation"], event["ExecutionArn"])
    rules = [MatchedRule.from_item(rule) for rule in event["Rules"]]
    sender.record_and_send(rules, lambda: context.get_remaining_time_in_millis() >= RESERVE_SECONDS * 1000)
    return dict.fromkeys(OUTCOMES, 0) | sender.outcomes
