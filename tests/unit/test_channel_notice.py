"""The notice that reports dead channels."""

from __future__ import annotations

import pytest

from imagewatch.alerts.channel import DISABLED, FAILING, UNCONFIRMED
from imagewatch.alerts.channel_health import Health, notice


def advice(kind: str, status: str) -> str:
    _, body = notice([Health("ops", kind, status, "A reason.")])
    return body


def test_a_new_slack_webhook_is_asked_for_only_where_the_old_one_is_gone() -> None:
    assert "Create a new incoming webhook" in advice("slack", DISABLED)
    unreachable = advice("slack", FAILING)
    assert "new incoming webhook" not in unreachable
    assert "Alerts still use it" in unreachable


def test_only_a_webhook_that_was_switched_off_is_to_be_switched_on() -> None:
    assert "imagewatch channels enable ops" in advice("webhook", DISABLED)
    assert "imagewatch channels enable" not in advice("webhook", FAILING)


@pytest.mark.parametrize("status", [UNCONFIRMED, FAILING])
def test_emails_without_readers_need_a_subscriber(status: str) -> None:
    assert "Subscribe and confirm an address" in advice("email", status)


def test_a_channel_of_no_known_kind_is_to_be_removed() -> None:
    assert "imagewatch channels remove ops" in advice("", FAILING)
