"""A backfill: its request, its progress, and what a match changes on a record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from imagewatch.errors import InvalidRun, UnreadableRecord
from imagewatch.images.version import ImageVersion
from imagewatch.rules.backfill import BackfillRun, Progress, evaluate_record, merge_match
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule

STARTED = "2026-11-20T21:00:00.123Z"
NOW = datetime(2026, 11, 20, 21, tzinfo=UTC)
OUTCOMES = ("Sent", "Queued")


def run(**fields: Any) -> BackfillRun:
    return BackfillRun.from_input({"RuleId": "gate", **fields}, STARTED)


def test_without_bounds_a_run_covers_everything_up_to_its_start() -> None:
    assert run() == BackfillRun("gate", "", STARTED, alert=False)


def test_bounds_are_brought_to_utc_so_that_they_compare_with_what_is_stored() -> None:
    bounded = run(Since="2026-11-01T00:00:00+01:00", Until="2026-11-02T00:00:00Z", Alert=True)
    assert (bounded.since, bounded.until, bounded.alert) == ("2026-10-31T23:00:00.000Z", "2026-11-02T00:00:00.000Z", True)


@pytest.mark.parametrize(
    ("given", "reported"),
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
def test_what_makes_no_sense_is_refused_with_the_field(given: Any, reported: str) -> None:
    with pytest.raises(InvalidRun) as refused:
        BackfillRun.from_input(given, STARTED)
    assert str(refused.value).startswith(reported)


@pytest.mark.parametrize(
    ("changes", "included"),
    [
        ({}, True),
        ({"UploadedAt": "2026-11-01T00:00:00.000Z"}, True),
        ({"UploadedAt": "2026-10-31T23:59:59.999Z"}, False),
        ({"UploadedAt": "2026-11-02T00:00:00.000Z"}, False),
        ({"Status": "FAILED"}, False),
        ({"Status": "ANALYZING"}, False),
    ],
)
def test_a_run_covers_what_was_uploaded_in_its_time_and_analysed(changes: dict[str, str], included: bool) -> None:
    bounded = run(Since="2026-11-01T00:00:00Z", Until="2026-11-02T00:00:00Z")
    record = {"Status": "ANALYZED", "Lease": "c", "UploadedAt": "2026-11-01T12:00:00.000Z", **changes}
    assert bounded.includes(record) is included


def test_a_record_that_is_being_removed_is_nobodys_history() -> None:
    assert not run().includes({"Status": "ANALYZED", "UploadedAt": "2026-11-01T12:00:00.000Z"})


def test_a_progress_begins_with_nothing_and_is_handed_on_whole() -> None:
    begun = Progress.from_state({"WaitSeconds": 31}, OUTCOMES)
    assert begun.to_state() == {
        "Done": False, "Cursor": None, "Rule": None, "FirstPage": 0,
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


def matched(rule_id: str, **more: Any) -> MatchedRule:
    return MatchedRule.from_item(entry(rule_id, **more))


def merged(recorded: list[MatchedRule], found: MatchedRule | None, omitted: int = 0) -> list[MatchedRule] | None:
    update = merge_match(recorded, "gate", found, omitted)
    return list(update.matched_rules) if update else None


def test_a_matched_rule_is_inserted_among_the_others() -> None:
    others = [matched("a"), matched("z")]
    assert merged(others, matched("gate")) == [matched("a"), matched("gate"), matched("z")]
    assert others == [matched("a"), matched("z")]


def test_a_matched_rule_replaces_the_rules_older_entry() -> None:
    recorded = [matched("a"), matched("gate")]
    assert merged(recorded, matched("gate", RuleVersion=2)) == [matched("a"), matched("gate", RuleVersion=2)]


def test_without_a_match_the_rules_entry_is_removed() -> None:
    assert merged([matched("a"), matched("gate")], None) == [matched("a")]


@pytest.mark.parametrize("found", [None, matched("gate")])
def test_a_record_that_is_up_to_date_does_not_change(found: MatchedRule | None) -> None:
    recorded = [matched("z"), *([found] if found else []), matched("a")]  # in no order, as an older record may be
    assert merged(recorded, found) is None


def test_a_record_with_very_many_rules_keeps_one_match_of_each_and_then_stays() -> None:
    long = {"Matches": [entry("x")["Matches"][0]] * 20}
    recorded = [matched(f"rule-{n:03}", **long) for n in range(45)]
    result = merged(recorded, matched("gate", **long))
    assert result is not None
    assert {(len(one.matches), one.more_matches) for one in result} == {(1, 19)}
    assert merged(result, matched("gate", MoreMatches=19)) is None


def test_a_record_that_is_full_keeps_what_fits_and_counts_the_rest() -> None:
    full = [matched(f"rule-{n:04}", Name="x" * 90) for n in range(400)]
    update = merge_match(full, "gate", matched("gate", Severity="critical"), omitted=3)
    assert update is not None
    kept = list(update.matched_rules)
    assert matched("gate", Severity="critical") in kept
    assert update.rules_omitted == 3 + 401 - len(kept)
    assert merge_match(kept, "gate", matched("gate", Severity="critical"), update.rules_omitted) is None


def test_a_rule_that_does_not_fit_changes_a_full_record_once() -> None:
    full = [matched(f"rule-{n:04}", Name="x" * 90, Severity="critical") for n in range(400)]
    first = merge_match(full, "gate", matched("gate", Name="x" * 95))
    assert first is not None
    assert "gate" not in {one.rule_id for one in first.matched_rules}
    assert merge_match(first.matched_rules, "gate", matched("gate", Name="x" * 95), first.rules_omitted) is None


# ------------------------------------------------------------------------------------------------------------ evaluations

RULE = Rule.from_item({"RuleId": "gate", "Name": "Gate", "Version": 3, "AnyOf": [{"Term": "person"}]})


def record(**changes: Any) -> dict[str, Any]:
    label = {"Name": "Person", "Confidence": 97.3, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}
    image = ImageVersion("bucket", "uploads/gate/a.jpg", "v1", "etag", "0" * 64, 1000, "2026-11-01T12:00:00.000Z", "lease")
    moderation = {"Status": "CHECKED", "Labels": []}
    stored = {"Status": "ANALYZED", "Labels": [label], "Moderation": moderation, "MatchedRules": []}
    return {**image.to_state(), **stored, **changes}


def test_a_stored_image_is_evaluated_as_by_the_workflow() -> None:
    evaluation = evaluate_record(Watchlist([RULE]), record(), NOW)
    assert evaluation.image.image_id == record()["ImageId"]
    assert evaluation.matched == Watchlist([RULE]).evaluate(evaluation.image, record(), NOW)[0]
    assert evaluation.update is not None
    assert evaluation.update.matched_rules == (evaluation.matched,)


def test_an_entry_of_a_newer_version_of_the_rule_stays() -> None:
    newer = record(MatchedRules=[entry("gate", RuleVersion=4)])
    evaluation = evaluate_record(Watchlist([RULE]), newer, NOW)
    assert (evaluation.matched, evaluation.update) == (None, None)


@pytest.mark.parametrize(
    "damage", [{"Size": "large"}, {"Labels": None}, {"Labels": [{}]}, {"MatchedRules": [{}]}, {"UploadedAt": "yesterday"}]
)
def test_a_damaged_record_is_reported_as_unreadable(damage: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRecord, match=r"^Its record can't be read: \w+Error: "):
        evaluate_record(Watchlist([RULE]), record(**damage), NOW)
