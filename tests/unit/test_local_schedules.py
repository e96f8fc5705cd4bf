"""EventBridge's scheduled rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from local.emulator.events.schedules import Schedules, next_after

NOW = datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(1 minute)", NOW + timedelta(minutes=1)),
        ("rate(5 minutes)", NOW + timedelta(minutes=5)),
        ("rate(1 day)", NOW + timedelta(days=1)),
        ("cron(0 6 * * ? *)", datetime(2026, 11, 21, 6, 0, tzinfo=UTC)),
        ("cron(31 9 * * ? *)", datetime(2026, 11, 20, 9, 31, tzinfo=UTC)),
        ("cron(30 9 * * ? *)", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", datetime(2026, 11, 20, 9, 45, tzinfo=UTC)),
        ("cron(0 8 ? * MON-FRI *)", datetime(2026, 11, 23, 8, 0, tzinfo=UTC)),
        ("cron(0 8 ? * 1 *)", datetime(2026, 11, 22, 8, 0, tzinfo=UTC)),
        ("cron(0 0 29 FEB ? *)", datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_schedule_is_due_when_eventbridge_would_fire_it(expression: str, due: datetime) -> None:
    assert next_after(expression, NOW) == due


def test_a_schedule_without_a_next_time_is_never_due() -> None:
    assert next_after("cron(0 0 31 2 ? *)", NOW) is None


@pytest.mark.parametrize(
    "expression",
    ["", "rate(5 minute)", "rate(1 minutes)", "rate(0 minutes)", "cron(0 6 * * *)", "cron(0 6 * * * *)", "cron(0 6 ? * ? *)",
     "cron(61 6 * * ? *)", "cron(0 6 L * ? *)", "cron(0/0 6 * * ? *)", "at(2026-11-20T10:00:00)"],
)  # fmt: skip
def test_unsupported_expressions_are_refused(expression: str) -> None:
    with pytest.raises(ValueError):
        next_after(expression, NOW)


def test_each_enabled_scheduled_rule_fires_once_when_it_is_due() -> None:
    rules = [
        SimpleNamespace(name="often", scheduled_expression="rate(1 minute)", state="ENABLED"),
        SimpleNamespace(name="off", scheduled_expression="rate(1 minute)", state="DISABLED"),
        SimpleNamespace(name="by-event", scheduled_expression=None, state="ENABLED"),
    ]
    fired: list[str] = []
    clock = Schedules(lambda: rules, lambda rule, moment: fired.append(rule.name))
    for seconds in (0, 59, 60, 61, 119, 120):
        clock.tick(NOW + timedelta(seconds=seconds))
    assert fired == ["often", "often"]
