"""Api Alerts: lists alerts of all rules and of one, page by page; acknowledges them and marks wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from imagewatch import timestamps
from imagewatch.alerts.alert import Alert
from imagewatch.aws.tables import alert_list
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import MatchedRule

from .api import OPERATORS, Reply, call
from .conftest import Stack, sample_event

MATCH = {"Term": "person", "Label": "Person", "Kind": "label", "Confidence": 99.0, "Count": 1}
START = timestamps.moment("2026-11-30T23:59:59.000Z")


def ask(stack: Stack, method: str, path: str = "", body: Any = None, **query: Any) -> Reply:
    return call(stack, method, f"/alerts{path}", query, body, OPERATORS)


def write(stack: Stack, monkeypatch: pytest.MonkeyPatch, number: int, rule_id: str = "gate") -> str:
    """Writes an alert as Send Alert does, half a second after the one before; returns its id."""
    state = {**sample_event("validate_image")["Image"], "Key": f"uploads/gate/{number}.jpg"}
    image = ImageVersion.from_state(state)
    rule = MatchedRule.from_item({"RuleId": rule_id, "Name": rule_id.title(), "Matches": [MATCH], "Channels": ["email"]})
    with monkeypatch.context() as patch, stack.environment("SendAlert"):
        patch.setattr(timestamps, "now", lambda: (START + number // 2 * 1000) * 1000)
        alert, owned = alerts_table.create_or_lease(Alert.of(image, rule, "https://example.com/image"), "execution")
    assert owned
    return alert.alert_id


@pytest.fixture
def alerts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of seven alerts of two rules in two months, pairs of them at the same time. The time is a day later now."""
    ids = [write(stack, monkeypatch, number, ("gate", "door")[number % 2]) for number in range(7)]
    monkeypatch.setattr(timestamps, "now", lambda: (START + 86_400_000) * 1000)
    return ids


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_pages_have_each_alert_once_the_newest_first(stack: Stack, alerts: list[str], limit: int) -> None:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = ask(stack, "GET", limit=limit, **({"cursor": cursor} if cursor else {})).body
        assert 1 <= len(page["Alerts"]) <= limit
        found += page["Alerts"]
        cursor = page.get("NextCursor", "")
        if not cursor:
            break
        assert len(page["Alerts"]) == limit
    assert sorted(alert["AlertId"] for alert in found) == sorted(alerts)
    places = [(alert["CreatedAt"], alert["AlertId"]) for alert in found]
    assert places == sorted(places, reverse=True)
    assert len({place[0][:7] for place in places}) == 2


def test_the_alerts_of_one_rule_are_listed(stack: Stack, alerts: list[str]) -> None:
    shown = ask(stack, "GET", rule_id="door").body["Alerts"]
    assert {alert["AlertId"] for alert in shown} == {alerts[1], alerts[3], alerts[5]}
    assert ask(stack, "GET", rule_id="none").body == {"Alerts": []}


def test_a_first_day_leaves_out_older_alerts(stack: Stack, alerts: list[str]) -> None:
    shown = ask(stack, "GET", since="2026-12-01").body["Alerts"]
    assert {alert["AlertId"] for alert in shown} == set(alerts[2:])


def test_a_first_day_long_ago_reads_no_more_months_than_alerts_are_kept(
    stack: Stack, alerts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions: list[tuple[str, str]] = []
    listed = alert_list._partitions
    monkeypatch.setattr(alert_list, "_partitions", lambda *asked: partitions.extend(listed(*asked)) or listed(*asked))
    assert len(ask(stack, "GET", since="0500-05-01").body["Alerts"]) == len(alerts)
    assert len(partitions) <= 3_650 / 28


def test_the_first_acknowledgement_stays(stack: Stack, alerts: list[str]) -> None:
    first = ask(stack, "POST", f"/{alerts[0]}/acknowledge").body["Acknowledged"]
    assert first["By"] == OPERATORS["sub"]
    again = call(stack, "POST", f"/alerts/{alerts[0]}/acknowledge", user={**OPERATORS, "sub": "another"})
    assert again.body["Acknowledged"] == first


def test_a_wrong_alert_is_marked_and_unmarked(stack: Stack, alerts: list[str]) -> None:
    marked = ask(stack, "PUT", f"/{alerts[0]}/not-this", {"Note": "A dog."}).body["NotThis"]
    assert (marked["Note"], marked["By"]) == ("A dog.", OPERATORS["sub"])
    assert ask(stack, "PUT", f"/{alerts[0]}/not-this", {}).body["NotThis"].keys() == {"At", "By"}
    assert "NotThis" not in ask(stack, "DELETE", f"/{alerts[0]}/not-this").body


@pytest.mark.parametrize(("method", "path"), [("POST", "acknowledge"), ("PUT", "not-this"), ("DELETE", "not-this")])
def test_an_unknown_alert_is_not_found_and_not_created(stack: Stack, alerts: list[str], method: str, path: str) -> None:
    reply = ask(stack, method, f"/{'f' * 32}/{path}", {} if method == "PUT" else None)
    assert reply.status == 404
    assert len(stack.items("AlertsTable")) == len(alerts)


@pytest.mark.parametrize("cursor", ["x", "e30", "WyJhIl0", "WzEsIDJd", "WyIiLCAiIl0", "AAAA", "%00", "\u00e9"])
def test_a_cursor_of_another_list_is_refused(stack: Stack, cursor: str) -> None:
    reply = ask(stack, "GET", cursor=cursor)
    assert (reply.status, reply.pointers) == (400, ["cursor"])


@pytest.mark.parametrize("note", ["", "x" * 201, "two\nlines", 1])
def test_a_note_that_is_no_line_is_refused(stack: Stack, alerts: list[str], note: Any) -> None:
    reply = ask(stack, "PUT", f"/{alerts[0]}/not-this", {"Note": note})
    assert (reply.status, reply.pointers) == (400, ["#/Note"])


def test_alerts_are_for_operators(stack: Stack, alerts: list[str]) -> None:
    assert call(stack, "GET", "/alerts").status == 403
    assert call(stack, "POST", f"/alerts/{alerts[0]}/acknowledge").status == 403
