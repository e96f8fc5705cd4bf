"""Api Channels: lists the channels without their addresses, and tests one through Check Channels."""

from __future__ import annotations

from typing import Any

import pytest

from imagewatch.aws import functions
from imagewatch.errors import Unavailable

from .api import OPERATORS, Reply, call
from .conftest import Stack

WEBHOOK = {
    "ChannelId": "home", "Kind": "webhook", "Enabled": True, "Status": "failing", "StatusReason": "It answered 500.",
    "Url": "https://secret.example.com", "SecretParameter": "/secret", "UpdatedAt": "2026-11-20T00:00:00.000Z",
}  # fmt: skip


def ask(stack: Stack, method: str, path: str = "") -> Reply:
    return call(stack, method, f"/channels{path}", user=OPERATORS)


def test_channels_are_listed_with_their_health_and_without_addresses(stack: Stack) -> None:
    stack.put_item("ChannelsTable", WEBHOOK)
    stack.put_item("ChannelsTable", {"ChannelId": "gone", "NextSlot": 1})  # the rate limiter of a channel that was removed
    reply = ask(stack, "GET")
    assert reply.body["Channels"] == [
        {"ChannelId": "email", "Kind": "email", "Enabled": True, "Status": "unchecked"},
        {"ChannelId": "home", "Kind": "webhook", "Enabled": True, "Status": "failing", "StatusReason": "It answered 500."},
    ]
    stack.put_item("ChannelsTable", {"ChannelId": "email", "Status": "unconfirmed", "StatusReason": "No address is confirmed."})
    assert ask(stack, "GET").body["Channels"][0]["Status"] == "unconfirmed"


def test_a_test_is_sent_by_the_function_that_checks_channels(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put_item("ChannelsTable", WEBHOOK)
    invoked: list[Any] = []

    def invoke(name: str, event: Any) -> Any:
        invoked.append((name, event))
        return {"Channels": [{"ChannelId": "home", "Kind": "webhook", "Outcome": "FAILED", "Reason": "It answered 500."}]}

    monkeypatch.setattr(functions, "invoke", invoke)
    reply = ask(stack, "POST", "/home/test")
    assert reply.body == {"ChannelId": "home", "Kind": "webhook", "Outcome": "FAILED", "Reason": "It answered 500."}
    assert invoked == [(stack.name("CheckChannelsFunction"), {"Test": ["home"]})]
    assert ask(stack, "POST", "/none/test").status == 404
    assert len(invoked) == 1


def test_a_test_that_fails_itself_is_reported_as_unavailable(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(name: str, event: Any) -> Any:
        raise Unavailable("The function failed: KeyError.")

    monkeypatch.setattr(functions, "invoke", invoke)
    reply = ask(stack, "POST", "/email/test")
    assert (reply.status, "KeyError" in str(reply.body)) == (503, False)


def test_channels_are_for_operators(stack: Stack) -> None:
    assert call(stack, "GET", "/channels").status == 403
    assert call(stack, "POST", "/channels/email/test").status == 403
