"""Lists of alerts and rules, as wide and narrow terminals show them and as programs read them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console, RenderableType

from imagewatch.rules.model import Rule
from uploader.alerts.render import alert_lines, alerts_table, plain_alert
from uploader.alerts.stored_alert import StoredAlert
from uploader.rules.render import rules_table
from uploader.rules.rule_store import Stored

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ALERT_ID = "4e361af55f175c504fdd250caeb64564"
ITEM: dict[str, Any] = {
    "AlertId": ALERT_ID,
    "RuleId": "door",
    "Status": "FAILED",
    "CreatedAt": "2026-11-20T16:40:32.000Z",
    "Subject": "Person at the door: person (Face) 98.6 % in photographer-in-park.png",
    "Deliveries": {"email": {"Status": "SENT"}, "ops": {"Status": "FAILED", "Reason": "Slack refused it"}},
    "NotThis": {"By": "me"},
}
ALERT = StoredAlert.from_item(ITEM)
LONG_ID = "a-rule-with-an-id-that-is-as-long-as-an-id-may-be-0123456789-abc"


def stored(rule_id: str, **more: Any) -> Stored:
    record = {"RuleId": rule_id, "Name": "A", "AnyOf": [{"Term": "Golden Retriever"}, {"Term": "Person"}], **more}
    return Stored(record, Rule.from_item(record))


def shown(what: RenderableType, width: int, *, terminal: bool = True) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=terminal, color_system=None, markup=False, highlight=False).print(what)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_narrow_terminal_has_an_alert_on_as_many_lines_as_its_words_need() -> None:
    assert shown(alerts_table([ALERT, ALERT]), 80) == 2 * [
        f"2026-11-20 16:40:32  failed  {ALERT_ID}",
        "  not this: Person at the door: person (Face) 98.6 % in photographer-in-park.png",
        "  (email sent, ops failed (Slack refused it))",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_wide_terminal_and_a_program_have_a_table_of_alerts(terminal: bool) -> None:
    lines = shown(
        alerts_table([StoredAlert.from_item({**ITEM, "Deliveries": {"email": {"Status": "SENT"}}})]), 160, terminal=terminal
    )
    assert lines[0].split() == ["When", "(UTC)", "Status", "Alert", "Channels", "Alert", "id"]
    assert len(lines) == 3
    assert lines[2].endswith(ALERT_ID)


def test_an_alert_in_full_has_each_fact_under_its_name_and_what_suppressed_it() -> None:
    alert = {
        **ITEM,
        "Status": "SUPPRESSED",
        "Subject": "",
        "RuleName": "Door",
        "Key": "uploads/gate/a.jpg",
        "Link": "https://example.com/images/1",
        "Deliveries": {"email": {"Status": "SUPPRESSED"}},
        "SuppressedBy": "b" * 32,
        "Rule": {
            "RuleId": "door",
            "Name": "Door",
            "Severity": "info",
            "Channels": ["email"],
            "Cooldown": {"Seconds": 600},
            "Matches": [{"Term": "person", "Label": "Face", "Kind": "label", "Confidence": 98.66, "Count": 1}],
        },
    }
    del alert["NotThis"]
    assert [line.plain for line in alert_lines(StoredAlert.from_item(alert))][:7] == [
        "Door in gate/a.jpg (suppressed)",
        "  Found:         person (Face) 98.6 %",
        "  Image:         uploads/gate/a.jpg",
        "  Link:          https://example.com/images/1",
        "  When:          2026-11-20 16:40 UTC",
        "  Channels:      email suppressed",
        f"  Suppressed by: the cooldown of 10 minutes, which alert or digest {'b' * 32} started",
    ]


def test_a_suppressed_alert_is_listed_with_its_image_and_exported_with_its_cause() -> None:
    alert = {**ITEM, "Status": "SUPPRESSED", "RuleName": "Door", "Key": "uploads/gate/a.jpg", "SuppressedBy": "b" * 32}
    del alert["Subject"], alert["NotThis"]
    assert "Door in gate/a.jpg" in "\n".join(shown(alerts_table([StoredAlert.from_item(alert)]), 160))
    assert plain_alert(StoredAlert.from_item(alert))["SuppressedBy"] == "b" * 32


def test_a_narrow_terminal_has_each_rule_with_its_id_whole_and_only_what_is_special() -> None:
    rules = [stored(LONG_ID, Sources=["front-door"], Severity="critical"), stored("cat")]
    assert shown(rules_table(rules, NOW), 80) == [
        f"{LONG_ID}  on  critical",
        "  looks for: Golden Retriever or Person",
        "  where: front-door",
        "  sends to: email",
        "cat  on  warning",
        "  looks for: Golden Retriever or Person",
        "  sends to: email",
    ]


def test_rules_that_fit_stay_a_table() -> None:
    title, _, row = shown(rules_table([stored("sample-person-at-the-door", AnyOf=[{"Term": "Person"}])], NOW), 80)
    assert title.split() == ["Rule", "State", "Severity", "Looks", "for", "Sends", "to"]
    assert row.split() == ["sample-person-at-the-door", "on", "warning", "Person", "email"]


def test_a_program_has_a_table_of_rules_whose_ids_are_whole() -> None:
    lines = shown(rules_table([stored(LONG_ID, Sources=["front-door"]), stored("cat")], NOW), 120, terminal=False)
    assert lines[0].startswith("Rule ")
    assert lines[2].startswith(f"{LONG_ID} ")
