"""Evaluate Watchlist on moto: the rules of the table against the findings of one image."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Event, Stack

PERSON = {"RuleId": "person", "Name": "Person at the door", "Enabled": True, "Terms": [{"Term": "person", "MinConfidence": 80}]}


def evaluate(stack: Stack, sample: Any, image: Event) -> dict[str, Any]:
    answer: dict[str, Any] = stack.handler("EvaluateWatchlist")({**sample("evaluate_watchlist"), "Image": image})
    return answer


def test_says_which_rules_match_and_the_record_shows_them(stack: Stack, announced: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", PERSON)
    verdict = evaluate(stack, sample, announced)

    assert verdict["MatchCount"] == 1
    assert verdict["Rules"][0]["Matches"] == [
        {"Term": "person", "Label": "Face", "Kind": "parent", "Confidence": 97.3, "Count": 1}
    ]  # the most specific of Person, Head and Face: one object, one match
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert record["MatchedRules"] == verdict["Rules"]


def test_without_rules_nothing_matches(stack: Stack, announced: Event, sample: Any) -> None:
    assert evaluate(stack, sample, announced) == {"MatchCount": 0, "Rules": []}


def test_a_disabled_rule_and_one_that_asks_for_more_confidence_do_not_match(stack: Stack, announced: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", {**PERSON, "Enabled": False})
    stack.put_item("WatchlistTable", {**PERSON, "RuleId": "sure", "Terms": [{"Term": "person", "MinConfidence": 99.9}]})
    assert evaluate(stack, sample, announced)["MatchCount"] == 0


def test_a_rule_that_cannot_be_read_is_logged_and_silences_no_other(
    stack: Stack, announced: Event, sample: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stack.put_item("WatchlistTable", {"RuleId": "broken", "Name": "Broken", "Terms": []})
    stack.put_item("WatchlistTable", PERSON)
    assert evaluate(stack, sample, announced)["MatchCount"] == 1
    (problem,) = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert problem.reason == "Rule broken: Terms must be a list with at least one entry."  # type: ignore[attr-defined]


def test_an_overtaken_version_is_evaluated_without_touching_the_record(stack: Stack, uploaded: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", PERSON)
    assert evaluate(stack, sample, uploaded)["MatchCount"] == 1
    assert stack.record(uploaded["ImageId"]) is None
