"""Api Channels: lists the alert channels with their health, and tests one, for operators."""

from __future__ import annotations

from typing import Any

from imagewatch.api import channels as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.problems import not_found
from imagewatch.api.request import Request
from imagewatch.observability import logs_invocation
from imagewatch.services import channel_health


def show_all(request: Request) -> dict[str, Any]:
    """Every channel."""
    return {"Channels": [declared.document(record) for record in channel_health.read_all()]}


def test(request: Request) -> dict[str, Any]:
    """The outcome of the test."""
    outcome = channel_health.test(request.ids["channel_id"])
    if outcome is None:
        raise not_found(f"channel {request.ids['channel_id']}")
    return {name: value for name, value in outcome.items() if value}


API = Api({declared.LIST_CHANNELS: show_all, declared.TEST_CHANNEL: test})


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)
