"""The rate of messages on each kind of channel, on moto with a virtual clock."""

from __future__ import annotations

import pytest

from imagewatch import timestamps
from imagewatch.aws.rate_limiter import wait_for_channel_slot

from .alerting import VirtualClock
from .conftest import Stack

RATES = ["0.1", "0.5", "1", "5", "9"]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    return VirtualClock(monkeypatch)


def messages(time: VirtualClock, kind: str, seconds: int) -> list[int]:
    """The moments (microseconds) of the messages that a busy channel of this kind sends in so many seconds."""
    begin, sent = time.now, []
    while time.now < begin + seconds * timestamps.SECOND:
        if wait_for_channel_slot("busy", kind, seconds * timestamps.SECOND):
            sent.append(time.now)
        else:
            time.pass_seconds(0.1)
    return sent


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", ["email", "slack", "webhook"])
def test_a_busy_channel_keeps_to_its_rate(stack: Stack, time: VirtualClock, kind: str, rate: str) -> None:
    """Slack: "1 message per second per channel" (Slack, "Rate limits"). SNS: 10 e-mails per second for a subscription."""
    with stack.environment("SendAlert", MAX_ALERTS_PER_SECOND=rate):
        sent = messages(time, kind, 30)
    limit = min(float(rate), 1.0) if kind == "slack" else float(rate)
    assert 0.8 * limit * 30 - 1 <= len(sent) <= limit * 30 + 1
    if limit >= 1:
        most = max(sum(first <= moment < first + timestamps.SECOND for moment in sent) for first in sent)
        assert most <= limit
