"""Check Channels: once a day, whether alerts would reach anybody; on request, a test message through named channels."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imagewatch.observability import count, logger, logs_invocation
from imagewatch.services import channel_check as health


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes {Test: [channel ids]} and sends a test through each, or the schedule's event and checks all without a message.

    Either way it uses exactly the permissions and addresses that alerts use. A dead channel is told through others.
    """
    if "Test" in event:
        return {"Channels": [health.test(channel_id) for channel_id in event["Test"]]}
    found = health.check_all()
    dead = [one for one in found if one.is_dead]
    for one in dead:
        logger.error("Alerts through a channel reach nobody.", channel=one.channel_id, status=one.status, reason=one.reason)
    count("ChannelsDead", len(dead))
    if dead:
        health.tell(dead, [one for one in found if not one.is_dead])
    return {"Channels": [asdict(one) for one in found]}
