"""Api Stats: images, rejections, alerts and cost by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .api import OPERATORS, Reply, call
from .api_images import add_count
from .conftest import Stack


def day(ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=ago)).isoformat()


def ask(stack: Stack, **query: Any) -> Reply:
    return call(stack, "GET", "/stats", query, user=OPERATORS)


@pytest.fixture
def figures(stack: Stack) -> None:
    """Ten images today with two rejections and one alert; one image a week ago; one a year ago."""
    for ago, images in ((0, 10), (6, 1), (365, 4)):
        add_count(stack, "operators", f"day:{day(ago)}", day(ago), images)
    for number, (status, ago) in enumerate((("rejected", 0), ("rejected", 0), ("failed", 6), ("rejected", 30))):
        position = f"{day(ago)}T10:00:0{number}.000Z#{number:032x}#lease"
        item = {"Posting": f"operators|time|status:{status}", "Position": position, "Minute": 600, "Terms": b""}
        stack.put_item("SearchIndexTable", item)
    created = f"{day(0)}T11:00:00.000Z"
    stack.put_item("AlertsTable", {"AlertId": "a" * 32, "CreatedMonth": created[:7], "CreatedAt": created, "RuleId": "gate"})


def test_each_day_has_its_figures_and_the_days_their_totals(stack: Stack, figures: None) -> None:
    reply = ask(stack, days=7).body
    today = {"Images": 10, "Rejected": 2, "Failed": 0, "Alerts": 1, "RekognitionCalls": 16, "PriceUsd": 0.016}
    before = {"Images": 1, "Rejected": 0, "Failed": 1, "Alerts": 0, "RekognitionCalls": 2, "PriceUsd": 0.002}
    assert reply["Days"] == [{"Day": day(0), **today}, {"Day": day(6), **before}]
    assert reply["Total"] == {"Images": 11, "Rejected": 2, "Failed": 1, "Alerts": 1, "RekognitionCalls": 18, "PriceUsd": 0.018}


def test_a_single_day_is_today_and_a_year_has_all(stack: Stack, figures: None) -> None:
    assert [one["Day"] for one in ask(stack, days=1).body["Days"]] == [day(0)]
    assert [one["Day"] for one in ask(stack, days=366).body["Days"]] == [day(ago) for ago in (0, 6, 30, 365)]


@pytest.mark.parametrize("days", [0, 367, "x"])
def test_a_number_of_days_beyond_the_limits_is_refused(stack: Stack, days: Any) -> None:
    assert ask(stack, days=days).status == 400


def test_statistics_are_for_operators(stack: Stack) -> None:
    assert call(stack, "GET", "/stats").status == 403
