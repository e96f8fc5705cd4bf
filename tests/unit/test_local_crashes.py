"""Injected crashes: after a number of calls, once, and only for the chosen invocation."""

from __future__ import annotations

from typing import Any

from local.emulator.lambda_.crashes import Crash, Crashes


def aimed(after_calls: int) -> tuple[Crash, list[dict[str, Any]], list[str]]:
    deaths: list[dict[str, Any]] = []
    kills: list[str] = []
    crash = Crash("send-alert", after_calls, deaths)
    crash.arm(lambda: kills.append("killed"))
    return crash, deaths, kills


def test_without_calls_to_wait_for_the_worker_is_killed_immediately() -> None:
    _, deaths, kills = aimed(0)
    assert kills == ["killed"]
    assert deaths == [{"function": "send-alert", "calls": []}]


def test_the_worker_is_killed_once_after_the_chosen_call() -> None:
    crash, deaths, kills = aimed(2)
    crash.called("dynamodb:UpdateItem")
    assert kills == []
    for _ in range(3):
        crash.called("sns:Publish")
    crash.strike()
    assert kills == ["killed"]
    assert deaths == [{"function": "send-alert", "calls": ["dynamodb:UpdateItem", "sns:Publish"]}]


def test_only_the_calls_of_the_chosen_invocation_count() -> None:
    crashes = Crashes()
    crash, _, kills = aimed(1)
    other, _, _ = aimed(1)
    with crashes.expected(crash):
        crashes.call_served(other.trace_id, "s3:GetObject")
        assert kills == []
        crashes.call_served(crash.trace_id, "s3:GetObject")
    assert kills == ["killed"]


def test_calls_after_the_invocation_do_not_count() -> None:
    crashes = Crashes()
    crash, _, kills = aimed(1)
    with crashes.expected(crash):
        pass
    crashes.call_served(crash.trace_id, "s3:GetObject")
    assert kills == []
