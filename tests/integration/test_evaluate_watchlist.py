"""Evaluate Watchlist on moto: the rules of the table against the findings of one image."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagewatch.aws.clients import client
from imagewatch.aws.tables import rules as rules_table
from imagewatch.rules.model import Rule

from .conftest import Event, Stack

PERSON = {"RuleId": "person", "Name": "Person at the door", "Enabled": True, "Terms": [{"Term": "person", "MinConfidence": 80}]}


def evaluate(stack: Stack, sample: Any, image: Event) -> dict[str, Any]:
    """The verdict about an image whose analysis was stored, as in the workflow."""
    if (stack.record(image["ImageId"]) or {}).get("Status") == "ANALYZING":
        stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": image})
    answer: dict[str, Any] = stack.handler("EvaluateWatchlist")({**sample("evaluate_watchlist"), "Image": image})
    return answer


def test_says_which_rules_match_and_the_record_shows_them(stack: Stack, announced: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", PERSON)
    verdict = evaluate(stack, sample, announced)

    assert verdict["MatchCount"] == 1
    box = {"Left": 0.3359, "Top": 0.1562, "Width": 0.2148, "Height": 0.2305}
    assert verdict["Rules"][0]["Matches"] == [
        {"Term": "person", "Label": "Face", "Kind": "parent", "Confidence": 97.3, "Count": 1, "Box": box}
    ]  # the most specific of Person, Head and Face: one object, one match
    record = stack.record(announced["ImageId"])
    assert record is not None
    [alerting], [shown] = verdict["Rules"], record["MatchedRules"]
    definition = alerting.pop("Definition")
    assert alerting == shown
    assert definition == Rule.from_item(PERSON).to_item()  # for the alert, which keeps the rule as it was


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
    says = "Rule broken: Terms must be a list with at least one entry, unless AllOf, Sources or KeyPrefixes has one."
    assert problem.reason == says  # type: ignore[attr-defined]


def test_a_superseded_version_is_evaluated_without_changing_the_record(stack: Stack, uploaded: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", PERSON)
    assert evaluate(stack, sample, uploaded)["MatchCount"] == 1
    assert stack.record(uploaded["ImageId"]) is None


def test_a_muted_rule_is_on_the_record_and_sends_no_alert(stack: Stack, announced: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", {**PERSON, "RuleId": "snoozed", "SnoozedUntil": "2099-01-01T00:00:00.000Z"})
    stack.put_item("WatchlistTable", PERSON)
    verdict = evaluate(stack, sample, announced)

    assert (verdict["MatchCount"], [rule["RuleId"] for rule in verdict["Rules"]]) == (1, ["person"])
    record = stack.record(announced["ImageId"])
    assert record is not None
    assert [(rule["RuleId"], rule.get("Muted")) for rule in record["MatchedRules"]] == [
        ("person", None),
        ("snoozed", "snoozed until 2099-01-01T00:00:00.000Z"),
    ]


FAR, PAST = "2099-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize("all_until", ["", FAR])
def test_a_muted_source_is_on_the_record_and_sends_no_alert(
    stack: Stack, announced: Event, sample: Any, scans: list[Any], all_until: str
) -> None:
    source = announced["Source"]
    stack.put_item("WatchlistTable", {**PERSON, "Severity": "critical", "BypassQuietHours": True})
    sources = {"another-camera": FAR} if all_until else {source: FAR}
    stack.put_item("WatchlistTable", {"RuleId": "#mutes", "Version": 1, "Sources": sources, "All": all_until})
    verdict = evaluate(stack, sample, announced)
    assert (verdict["MatchCount"], verdict["Rules"]) == (0, [])
    (rule,) = (stack.record(announced["ImageId"]) or {})["MatchedRules"]
    assert rule["Muted"] == f"muted until {FAR}: {'all sources' if all_until else source}"
    assert len(scans) == 1


@pytest.mark.parametrize("until", [{"another-camera": FAR}, {"HERE": PAST}])
def test_other_and_expired_mutes_change_nothing_and_are_no_invalid_rule(
    stack: Stack, announced: Event, sample: Any, caplog: pytest.LogCaptureFixture, until: dict[str, str]
) -> None:
    sources = {announced["Source"] if name == "HERE" else name: moment for name, moment in until.items()}
    stack.put_item("WatchlistTable", PERSON)
    stack.put_item("WatchlistTable", {"RuleId": "#mutes", "Version": 1, "Sources": sources, "All": PAST})
    assert evaluate(stack, sample, announced)["MatchCount"] == 1
    assert [entry for entry in caplog.records if entry.levelname == "ERROR"] == []


def test_mutes_that_cannot_be_read_are_logged_and_stop_no_rule(
    stack: Stack, announced: Event, sample: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stack.put_item("WatchlistTable", PERSON)
    stack.put_item("WatchlistTable", {"RuleId": "#mutes", "Sources": {announced["Source"]: "tomorrow"}})
    assert evaluate(stack, sample, announced)["MatchCount"] == 1
    (problem,) = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert problem.reason.startswith("The mutes: A mute's end must be a date and time")  # type: ignore[attr-defined]


@pytest.mark.parametrize("change", ["muted", "unmuted"])
def test_a_mute_takes_effect_after_the_bounded_age(
    stack: Stack, announced: Event, sample: Any, clock: Clock, change: str
) -> None:
    mutes = [{"RuleId": "#mutes", "Version": 1, "Sources": {announced["Source"]: FAR}}, {"RuleId": "#mutes", "Version": 2}]
    before, after = mutes[::-1] if change == "muted" else mutes
    stack.put_item("WatchlistTable", PERSON)
    stack.put_item("WatchlistTable", before)
    first = evaluate(stack, sample, announced)["MatchCount"]
    stack.put_item("WatchlistTable", after)
    assert evaluate(stack, sample, announced)["MatchCount"] == first
    function = stack.template.resources["EvaluateWatchlistFunction"]["Properties"]
    clock.now += int(stack.resolve(function["Environment"]["Variables"])["WATCHLIST_MAX_AGE_SECONDS"])
    assert (first, evaluate(stack, sample, announced)["MatchCount"]) == ((1, 0) if change == "muted" else (0, 1))


def test_the_verdict_says_that_a_rule_asks_for_digests(stack: Stack, announced: Event, sample: Any) -> None:
    rule = {"RuleId": "new", "Name": "New pictures", "Sources": [announced["Source"]], "Delivery": "digest"}
    stack.put_item("WatchlistTable", rule)
    stack.put_item("WatchlistTable", PERSON)
    assert [one.get("Delivery") for one in evaluate(stack, sample, announced)["Rules"]] == ["digest", None]


def test_a_rule_looks_only_at_its_sources(stack: Stack, announced: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", {**PERSON, "RuleId": "here", "Sources": [announced["Source"]]})
    stack.put_item("WatchlistTable", {**PERSON, "RuleId": "elsewhere", "Sources": ["another-camera"]})
    assert [rule["RuleId"] for rule in evaluate(stack, sample, announced)["Rules"]] == ["here"]


def test_text_that_was_read_is_matched_against_the_rules(stack: Stack, announced: Event, sample: Any) -> None:
    stack.put_item("WatchlistTable", {"RuleId": "plate", "Name": "Plate", "AnyOf": [{"Term": "b ab 123", "In": "text"}]})
    event = {**sample("evaluate_watchlist"), "Image": announced}
    line = {"Text": "B-AB 123", "Type": "LINE", "Confidence": 99.1, "BoundingBox": {"Left": 0, "Top": 0, "Width": 1, "Height": 1}}
    handler = stack.handler("EvaluateWatchlist")

    assert handler(event)["MatchCount"] == 0
    verdict = handler({**event, "Findings": {**event["Findings"], "Text": [line]}})
    assert [(match["Label"], match["Kind"]) for match in verdict["Rules"][0]["Matches"]] == [("B-AB 123", "text")]


# ------------------------------------------------------------------------------------- how soon a changed rule takes effect


class Clock:
    """Replaces the time in the watchlist's cache."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rules_table, "time", clock)
    return clock


@pytest.fixture
def scans(stack: Stack, clock: Clock) -> list[Any]:
    """Each reading of a page of the table, by the process under test."""
    seen: list[Any] = []
    client("dynamodb").meta.events.register("before-call.dynamodb.Scan", lambda **call: seen.append(call["params"]))
    return seen


def test_the_table_is_not_read_for_each_image(stack: Stack, announced: Event, sample: Any, scans: list[Any]) -> None:
    stack.put_item("WatchlistTable", PERSON)
    for _ in range(5):
        assert evaluate(stack, sample, announced)["MatchCount"] == 1
    assert len(scans) == 1


@pytest.mark.parametrize("change", ["written", "removed", "disabled"])
def test_a_changed_rule_takes_effect_after_the_bounded_age_and_not_before(
    stack: Stack, announced: Event, sample: Any, clock: Clock, change: str
) -> None:
    age = int(stack.resolve(stack.template.resources["EvaluateWatchlistFunction"]["Properties"]["Environment"]["Variables"])[
        "WATCHLIST_MAX_AGE_SECONDS"
    ])  # fmt: skip
    if change != "written":
        stack.put_item("WatchlistTable", PERSON)
    before = evaluate(stack, sample, announced)["MatchCount"]
    if change == "removed":
        stack.client("dynamodb").delete_item(TableName=stack.name("WatchlistTable"), Key={"RuleId": {"S": "person"}})
    else:
        stack.put_item("WatchlistTable", {**PERSON, "Enabled": change == "written"})

    assert age == 30
    clock.now += age - 0.001
    assert evaluate(stack, sample, announced)["MatchCount"] == before
    clock.now += 0.001
    assert evaluate(stack, sample, announced)["MatchCount"] == 1 - before


def test_a_clock_that_is_set_back_does_not_keep_an_old_watchlist(
    stack: Stack, announced: Event, sample: Any, clock: Clock
) -> None:
    assert evaluate(stack, sample, announced)["MatchCount"] == 0
    stack.put_item("WatchlistTable", PERSON)
    clock.now -= 3600
    assert evaluate(stack, sample, announced)["MatchCount"] == 1


def test_an_unchanged_table_is_read_again_and_compiled_once(stack: Stack, clock: Clock, scans: list[Any]) -> None:
    stack.use_environment("EvaluateWatchlist")
    stack.put_item("WatchlistTable", PERSON)
    stack.put_item("WatchlistTable", {**PERSON, "RuleId": "other"})
    first, _ = rules_table.current()
    clock.now += 31
    second, _ = rules_table.current()
    stack.put_item("WatchlistTable", {**PERSON, "RuleId": "other", "Name": "Renamed"})
    clock.now += 31
    third, _ = rules_table.current()

    assert second is first
    assert len(scans) == 3
    assert [rule.name for rule in third.rules] == ["Renamed", "Person at the door"]
    assert third.rules[1] is first.rules[1]  # what did not change is not read again


def test_a_rule_that_cannot_be_read_is_reported_once_for_each_reading(
    stack: Stack, announced: Event, sample: Any, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    stack.put_item("WatchlistTable", {"RuleId": "broken", "Name": "Broken", "AnyOf": []})

    def reported() -> int:
        caplog.clear()
        evaluate(stack, sample, announced)
        return len([entry for entry in caplog.records if entry.levelname == "ERROR"])

    assert [reported(), reported()] == [1, 0]
    clock.now += 31
    assert [reported(), reported()] == [1, 0]


def test_a_watchlist_of_many_pages_is_read_whole(stack: Stack, clock: Clock, scans: list[Any]) -> None:
    stack.use_environment("EvaluateWatchlist")
    long_name = "x" * 95
    for number in range(120):
        terms = [{"Term": f"{long_name} {n:03}"} for n in range(100)]
        stack.put_item("WatchlistTable", {"RuleId": f"rule-{number:03}", "Name": "Long", "AnyOf": terms})
    watchlist, invalid = rules_table.current()
    assert invalid == []
    assert len(scans) > 1
    assert [rule.rule_id for rule in watchlist.rules] == [f"rule-{number:03}" for number in range(120)]
