"""A rule's precision, and thresholds that lose no right alert."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.rules.matched_rule import Match, MatchedRule
from uploader.alerts.stored_alert import StoredAlert
from uploader.rules.precision import Judged, Precision, RuleTerms, judged, measure


def right(**confidences: float) -> Judged:
    return Judged(confidences, is_right=True)


def wrong(**confidences: float) -> Judged:
    return Judged(confidences, is_right=False)


def thresholds(found: Precision) -> dict[str, float | None]:
    return {proposal.term: proposal.threshold for proposal in found.proposals}


def test_the_proposal_keeps_every_right_alert_and_says_what_it_spares() -> None:
    found = measure([right(car=88.19), right(car=95), wrong(car=81), wrong(car=84), wrong(car=90)])
    assert thresholds(found) == {"car": 88.1}  # never rounded up: 88.19 must still match
    assert (found.right, found.wrong, found.spared) == (2, 3, 2)
    assert found.precision == pytest.approx(2 / 5)
    assert found.precision_then == pytest.approx(2 / 3)


def test_nothing_is_proposed_when_the_wrong_ones_are_as_sure_as_the_right_ones() -> None:
    found = measure([right(car=85), wrong(car=90)])
    assert (found.proposals, found.spared, found.precision_then) == ([], 0, found.precision)


def test_nothing_is_proposed_without_marks_and_nothing_is_said_without_alerts() -> None:
    assert measure([right(car=85)]).precision == 1
    assert measure([right(car=85)]).proposals == []
    assert measure([]).precision is None


def test_a_term_that_brought_nothing_right_is_to_be_taken_out() -> None:
    found = measure([right(car=85), wrong(toy=99), wrong(toy=80)])
    assert thresholds(found) == {"toy": None}
    assert found.spared == 2


def test_only_wrong_alerts_lead_to_a_rule_that_is_never_right() -> None:
    found = measure([wrong(car=85)])
    assert (found.precision, thresholds(found), found.precision_then) == (0, {"car": None}, None)


def test_an_alert_that_another_term_would_still_have_brought_is_not_spared() -> None:
    found = measure([right(car=90), right(van=80), wrong(car=81, van=95)])
    assert (found.proposals, found.spared) == ([], 0)


def test_where_a_rule_needs_two_terms_one_that_falls_away_is_enough() -> None:
    rule = {"AllOf": [{"Term": "Person"}, {"Term": "Night"}]}
    found = measure([right(person=90, night=90), wrong(person=95, night=85)], RuleTerms.from_item(rule))
    assert thresholds(found) == {"night": 90}
    assert found.spared == 1


def test_a_threshold_that_the_rule_has_already_is_not_proposed_again() -> None:
    alerts = [right(car=90), wrong(car=70)]  # alerted before the threshold was raised
    assert measure(alerts, RuleTerms.from_item({"AnyOf": [{"Term": "Car", "MinConfidence": 95}]})).proposals == []
    (proposal,) = measure(alerts, RuleTerms.from_item({"AnyOf": [{"Term": "Car"}]})).proposals
    assert (proposal.threshold, proposal.now) == (90, 80)


def test_older_rules_keep_their_terms_under_another_name() -> None:
    terms = RuleTerms.from_item({"Terms": [{"Term": "Car", "MinConfidence": 55}]})
    (proposal,) = measure([right(car=90), wrong(car=70)], terms).proposals
    assert proposal.now == 55


CONFIDENCES = st.dictionaries(st.sampled_from(["car", "van", "dog"]), st.integers(0, 10_000).map(lambda n: n / 100), min_size=1)
ALERTS = st.lists(st.builds(Judged, CONFIDENCES, st.booleans()), max_size=30)


@given(ALERTS, st.sets(st.sampled_from(["car", "van"])))
def test_no_right_alert_loses_a_match_and_the_share_never_falls(alerts: list[Judged], needed: set[str]) -> None:
    found = measure(alerts, RuleTerms(dict.fromkeys(needed, 0.0), frozenset(needed)))
    floors = thresholds(found)
    for alert in alerts:
        if alert.is_right:
            for term, confidence in alert.confidences.items():
                floor = floors.get(term, 0.0)
                assert floor is not None
                assert confidence >= floor
    assert 0 <= found.spared <= found.wrong
    assert (found.spared > 0) == bool(found.proposals)
    if found.precision is not None and found.precision_then is not None:
        assert found.precision_then >= found.precision


def alert(status: str = "SENT", **more: Any) -> StoredAlert:
    matches = (
        Match("Vehicle", "Car", "parent", 81.5, 1),
        Match("vehicle", "Van", "parent", 90, 1),
        Match("Dog", "Dog", "name", 70, 1),
    )
    rule = MatchedRule("r", "R", 1, "warning", ("email",), matches)
    return StoredAlert.from_item({"Status": status, "Rule": rule.to_item(), **more})


def test_an_alert_is_judged_by_the_most_confident_match_of_each_term_and_right_until_marked() -> None:
    assert judged([alert(), alert("DIGESTED", NotThis={"By": "me"})]) == [
        right(vehicle=90, dog=70),
        wrong(vehicle=90, dog=70),
    ]


@pytest.mark.parametrize("status", ["SUPPRESSED", "PENDING", "QUEUED", "FAILED"])
def test_an_alert_that_was_not_sent_is_not_judged(status: str) -> None:
    assert judged([alert(status), StoredAlert.from_item({"Status": "SENT"})]) == []
