"""A run over history: what it may be asked, how far it is, and what a verdict changes on a record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from imagewatch.errors import InvalidRun, UnreadableRecord
from imagewatch.images.version import ImageVersion
from imagewatch.rules.backfill import Progress, Run, judge, merged
from imagewatch.rules.matching import MAX_VERDICT_BYTES, Watchlist
from imagewatch.rules.model import Rule

STARTED = "2026-11-20T21:00:00.123Z"
NOW = datetime(2026, 11, 20, 21, tzinfo=UTC)
OUTCOMES = ("Sent", "Queued")


def run(**fields: Any) -> Run:
    return Run.from_input({"RuleId": "gate", **fields}, STARTED)


def test_without_bounds_a_run_covers_everything_up_to_its_start() -> None:
    assert run() == Run("gate", "", STARTED, alert=False)


def test_bounds_are_brought_to_utc_so_that_they_compare_with_what_is_stored() -> None:
    bounded = run(Since="2026-11-01T00:00:00+01:00", Until="2026-11-02T00:00:00Z", Alert=True)
    assert (bounded.since, bounded.until, bounded.alert) == ("2026-10-31T23:00:00.000Z", "2026-11-02T00:00:00.000Z", True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("gate", "The run must be a mapping with RuleId, and Since, Until and Alert if wanted, not 'gate'."),
        ({}, "The run: RuleId is missing; it must be the id of a rule on the watchlist, such as person-at-gate."),
        ({"RuleId": "Person at gate"}, "The run: RuleId must be the id of a rule on the watchlist, such as person-at-gate, not"),
        ({"RuleId": "gate", "Sinse": "2026-11-01"}, "The run: 'Sinse' is not a field of it. Did you mean Since?"),
        ({"RuleId": "gate", "Since": "2026-11-01"}, "The run: Since must be a date and time with its offset, such as"),
        ({"RuleId": "gate", "Until": "tomorrow"}, "The run: Until must be a date and time with its offset, such as"),
        ({"RuleId": "gate", "Alert": "yes"}, "The run: Alert must be true or false, not 'yes'."),
        (
            {"RuleId": "gate", "Since": "2027-01-01T00:00:00Z"},
            "The run: Since must be before Until, but 2027-01-01T00:00:00.000Z",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_field(given: Any, told: str) -> None:
    with pytest.raises(InvalidRun) as refused:
        Run.from_input(given, STARTED)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"UploadedAt": "2026-11-01T00:00:00.000Z"}, True),
        ({"UploadedAt": "2026-10-31T23:59:59.999Z"}, False),
        ({"UploadedAt": "2026-11-02T00:00:00.000Z"}, False),
        ({"Status": "FAILED"}, False),
        ({"Status": "ANALYZING"}, False),
    ],
)
def test_a_run_covers_what_was_uploaded_in_its_time_and_analysed(changes: dict[str, str], covered: bool) -> None:
    bounded = run(Since="2026-11-01T00:00:00Z", Until="2026-11-02T00:00:00Z")
    record = {"Status": "ANALYZED", "Lease": "c", "UploadedAt": "2026-11-01T12:00:00.000Z", **changes}
    assert bounded.covers(record) is covered


def test_a_record_that_is_being_removed_is_nobodys_history() -> None:
    assert not run().covers({"Status": "ANALYZED", "UploadedAt": "2026-11-01T12:00:00.000Z"})


def test_a_progress_begins_with_nothing_and_is_handed_on_whole() -> None:
    begun = Progress.from_state({"WaitSeconds": 31}, OUTCOMES)
    assert begun.to_state() == {
        "Done": False, "Cursor": None, "Rule": None,
        "Pages": 0, "Examined": 0, "Matched": 0, "Recorded": 0, "Cleared": 0, "Skipped": 0, "Alerts": {"Sent": 0, "Queued": 0},
    }  # fmt: skip
    begun.rule, begun.cursor, begun.counts["Pages"], begun.alerts["Sent"] = {"RuleId": "gate"}, {"ImageId": "a"}, 2, 7
    state = begun.to_state()
    assert Progress.from_state(state, OUTCOMES).to_state() == state
    begun.counts["Pages"] = begun.alerts["Sent"] = 99
    assert (state["Pages"], state["Alerts"]["Sent"]) == (2, 7)


def entry(rule_id: str, **more: Any) -> dict[str, Any]:
    match = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 97.3, "Count": 1}
    return {"RuleId": rule_id, "Name": rule_id, "RuleVersion": 1, "Matches": [match], **more}


def test_a_verdict_takes_its_place_among_the_others() -> None:
    others = [entry("a"), entry("z")]
    assert merged(others, "gate", entry("gate")) == [entry("a"), entry("gate"), entry("z")]
    assert others == [entry("a"), entry("z")]


def test_a_verdict_replaces_the_rules_older_one() -> None:
    recorded = [entry("a"), entry("gate")]
    assert merged(recorded, "gate", entry("gate", RuleVersion=2)) == [entry("a"), entry("gate", RuleVersion=2)]


def test_without_a_verdict_the_rules_entry_goes() -> None:
    assert merged([entry("a"), entry("gate")], "gate", None) == [entry("a")]


@pytest.mark.parametrize("verdict", [None, entry("gate")])
def test_nothing_changes_where_the_record_says_so_already(verdict: dict[str, Any] | None) -> None:
    recorded = [entry("z"), *([verdict] if verdict else []), entry("a")]  # in no order, as an older record may be
    assert merged(recorded, "gate", verdict) is None


def test_a_record_with_very_many_rules_keeps_the_surest_match_of_each_and_then_stays() -> None:
    long = {"Matches": [entry("x")["Matches"][0]] * 20}
    recorded = [entry(f"rule-{n:03}", **long) for n in range(45)]
    result = merged(recorded, "gate", entry("gate", **long))
    assert result is not None
    assert {(len(one["Matches"]), one["MoreMatches"]) for one in result} == {(1, 19)}
    assert merged(result, "gate", {**entry("gate"), "MoreMatches": 19}) is None


# ------------------------------------------------------------------------------------------------------------ judgements

RULE = Rule.from_record({"RuleId": "gate", "Name": "Gate", "Version": 3, "AnyOf": [{"Term": "person"}]})


def record(**changes: Any) -> dict[str, Any]:
    label = {"Name": "Person", "Confidence": 97.3, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}
    image = ImageVersion("bucket", "uploads/gate/a.jpg", "v1", "etag", "0" * 64, 1000, "2026-11-01T12:00:00.000Z", "lease")
    moderation = {"Status": "CHECKED", "Labels": []}
    stored = {"Status": "ANALYZED", "Labels": [label], "Moderation": moderation, "MatchedRules": []}
    return {**image.to_state(), **stored, **changes}


def test_a_stored_image_is_judged_as_the_workflow_would_judge_it() -> None:
    judgement = judge(Watchlist([RULE]), record(), NOW)
    assert judgement.image.image_id == record()["ImageId"]
    assert judgement.verdict == Watchlist([RULE]).evaluate(judgement.image, record(), NOW)[0]
    assert judgement.changed == [judgement.verdict]


def test_what_a_newer_version_of_the_rule_has_said_is_left() -> None:
    newer = record(MatchedRules=[entry("gate", RuleVersion=4)])
    judgement = judge(Watchlist([RULE]), newer, NOW)
    assert (judgement.verdict, judgement.changed) == (None, None)


@pytest.mark.parametrize(
    "damage", [{"Size": "large"}, {"Labels": None}, {"Labels": [{}]}, {"MatchedRules": [{}]}, {"UploadedAt": "yesterday"}]
)
def test_a_record_that_cannot_be_read_is_named_as_such(damage: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRecord, match=r"^Its record can't be read: \w+Error: "):
        judge(Watchlist([RULE]), record(**damage), NOW)


def test_more_rules_than_a_record_may_show_are_said_to_be_too_many() -> None:
    big = [entry(f"rule-{n:04}", Name="x" * 90) for n in range(MAX_VERDICT_BYTES // 200)]
    with pytest.raises(UnreadableRecord, match="rules match this image"):
        judge(Watchlist([RULE]), record(MatchedRules=big), NOW)
