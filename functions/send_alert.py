"""Send Alert: one message for each matched rule, channel and image version, however often it is retried."""

from __future__ import annotations

from typing import Any

from imagewatch.aws.delivery import OUTCOMES, Delivery
from imagewatch.errors import ImagewatchError
from imagewatch.images import ImageVersion
from imagewatch.observability import task


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image, Rules and Moderation; returns how many alerts were sent, suppressed, queued for a digest and so on.

    What a retry can heal is raised once the other rules have had their turn.
    """
    delivery = Delivery(ImageVersion.from_state(event["Image"]), event["Moderation"], event["ExecutionArn"])
    delayed: list[ImagewatchError] = []
    outcome = dict.fromkeys(OUTCOMES, 0)
    for rule in event["Rules"]:
        try:
            outcome[delivery.deliver(rule)] += 1
        except ImagewatchError as error:
            delayed.append(error)
    if delayed:
        raise delayed[0]
    return outcome
