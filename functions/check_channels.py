"""Check Channels: once a day, checks whether alerts reach people; on request, sends a test message through named channels."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imagewatch.observability import count, logger, logs_invocation
from imagewatch.services import channel_check


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes {Test: [channel ids]} and sends a test through each, or the schedule's event and checks all without a message.

    Both use exactly the permissions and addresses that alerts use. A dead channel is reported through others.
    """
    if "Test" in event:
        return {"Channels": [channel_check.test(channel_id).to_item() for channel_id in event["Test"]]}
    found = channel_check.check_all()
    dead = [health for health in found if health.is_dead]
    for health in dead:
        logger.error(
            "Alerts through a channel reach no one.", channel=health.channel_id, status=health.status, reason=health.reason
        )
    count("ChannelsDead", len(dead))
    if dead:
        channel_check.report_dead(dead, [health for health in found if not health.is_dead])
    return {"Channels": [asdict(health) for health in found]}
