"""Why an image did or did not notify people, for each rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from imagewatch.alerts.alert import DIGESTED, FAILED, PENDING, QUEUED, SENT, SUPPRESSED, Alert, Delivery
from imagewatch.alerts.explanation import Explanation, explain
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.rules.model import Rule, Term

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
IMAGE = ImageVersion("photos", "uploads/door/a.jpg", "v1", "e1", "00AA", 1000, "2026-11-20T16:05:09.123Z")
PERSON = {"Name": "Person", "Confidence": 95.0, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}
MATCH = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 95.0, "Count": 1}
RULE = Rule("gate", "Gate", (Term("person"),))


def record(*matched: dict[str, Any], **more: Any) -> dict[str, Any]:
    checked = {"Status": "CHECKED", "Labels": []}
    return {
        **IMAGE.to_state(),
        "Status": "ANALYZED",
        "Labels": [PERSON],
        "Moderation": checked,
        "MatchedRules": list(matched),
        **more,
    }


def alert(status: str, **delivery: Any) -> Alert:
    rule = {"RuleId": "gate", "Name": "Gate", "Matches": [MATCH], "Cooldown": {"Seconds": 600}}
    found = Alert.of(IMAGE, MatchedRule.from_item(rule), "https://watch.example.com/1")
    found.created_at, found.status = "2026-11-20T16:05:10.000Z", status
    found.deliveries = {"email": Delivery(status, "2026-11-20T16:05:11.000Z", **delivery)}
    return found


def only(record: dict[str, Any], *rules: Rule, **alerts: Alert) -> Explanation:
    (one,) = explain(record, rules, alerts, NOW)
    return one


@pytest.mark.parametrize(
    ("status", "delivery", "reason"),
    [
        (SENT, {}, "email sent at 2026-11-20T16:05:11.000Z"),
        (DIGESTED, {"digest_id": "d1"}, "email digested in digest d1 at 2026-11-20T16:05:11.000Z"),
        (
            QUEUED,
            {"reason": "The rate limit is reached."},
            "email queued at 2026-11-20T16:05:11.000Z: The rate limit is reached.",
        ),
        (PENDING, {"reason": "It hangs."}, "email pending at 2026-11-20T16:05:11.000Z: It hangs."),
        (FAILED, {"reason": "No."}, "email failed at 2026-11-20T16:05:11.000Z: No."),
    ],
)
def test_an_alert_has_the_outcome_of_each_delivery(status: str, delivery: dict[str, Any], reason: str) -> None:
    one = only(record({"RuleId": "gate", "Name": "Gate"}), RULE, gate=alert(status, **delivery))
    assert (one.outcome, one.reason) == (status, reason)
    assert one.alert_id == alert(status).alert_id


def test_a_suppressed_alert_names_its_cooldown_and_what_started_it() -> None:
    suppressed = alert(SUPPRESSED)
    suppressed.suppressed_by = "b" * 32
    one = only(record({"RuleId": "gate", "Name": "Gate"}), RULE, gate=suppressed)
    assert (one.outcome, one.suppressed_by) == (SUPPRESSED, "b" * 32)
    assert one.reason.startswith(f"suppressed by the cooldown of 10 minutes of gate, which alert or digest {'b' * 32} started")


def test_a_muted_rule_says_why_it_is_muted() -> None:
    one = only(record({"RuleId": "gate", "Name": "Gate", "Muted": "snoozed until noon"}), RULE)
    assert (one.outcome, "snoozed until noon" in one.reason) == ("MUTED", True)


def test_a_match_without_an_alert_says_so() -> None:
    assert only(record({"RuleId": "gate", "Name": "Gate"}), RULE).outcome == "NOT_ALERTED"


@pytest.mark.parametrize(
    ("rule", "found", "reason"),
    [
        (replace(RULE, enabled=False), record(), "disabled"),
        (replace(RULE, sources=("yard",)), record(), "other sources"),
        (replace(RULE, any_of=(Term("cat"),)), record(), "do not fulfil"),
        (RULE, record(), "it would match now"),
        (RULE, record(Status="REJECTED"), "not analysed: its status is REJECTED"),
    ],
)
def test_a_rule_that_did_not_match_says_why(rule: Rule, found: dict[str, Any], reason: str) -> None:
    one = only(found, rule)
    assert one.outcome == "NOT_MATCHED"
    assert reason in one.reason


def test_a_rule_that_matches_an_image_with_omitted_rules_is_one_without_an_alert() -> None:
    one = only(record(RulesOmitted=Decimal(17)), RULE)
    assert (one.outcome, "and 17 were omitted" in one.reason) == ("NOT_ALERTED", True)
    other = only(record(RulesOmitted=Decimal(17)), replace(RULE, any_of=(Term("cat"),)))
    assert (other.outcome, "do not fulfil" in other.reason) == ("NOT_MATCHED", True)


def test_a_deleted_rule_that_matched_is_explained_and_matches_come_first() -> None:
    rules = [replace(RULE, rule_id="a", any_of=(Term("cat"),)), replace(RULE, rule_id="z")]
    found = explain(record({"RuleId": "z", "Name": "Z"}, {"RuleId": "deleted", "Name": "Deleted"}), rules, {}, NOW)
    assert [one.rule_id for one in found] == ["deleted", "z", "a"]
