"""What a rule would have done: matches, cooldown and active hours over stored findings, and how that reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.alerts.cooldown import cooldown_scope
from imagewatch.rules.matched_rule import Cooldown
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.preview import (
    MAX_RUN_SECONDS,
    MUTED,
    SENT,
    SUPPRESSED,
    Page,
    Preview,
    messages_at_most,
    messages_at_once,
    preview,
)
from imagewatch.rules.schedule import ActiveHours, ActiveWindow
from uploader.rules.render_preview import comparison_lines, preview_document, preview_lines

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RULE = Rule("gate", "Gate", (Term("person"),))
NIGHT = ActiveHours("Europe/Berlin", (ActiveWindow(DAYS, 22 * 60, 6 * 60),))


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(minutes: float, label: str = "Person", confidence: float = 90.0, source: str = "yard") -> dict[str, Any]:
    found = {"Name": label, "Confidence": confidence, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}
    return {
        "Bucket": "b",
        "Key": f"uploads/{source}/{minutes}-{label}-{confidence}.jpg",
        "UploadedAt": at(minutes),
        "Labels": [found],
        "Moderation": {"Status": "CHECKED", "Labels": []},
    }


def looked_back(rules: Rule | list[Rule], *records: dict[str, Any]) -> list[Preview]:
    pages = [Page([one], 2) for one in records]  # in no order, and with others that were read and not wanted
    return preview(rules if isinstance(rules, list) else [rules], pages, lambda _count: None)


def outcomes(rule: Rule, *records: dict[str, Any]) -> list[str]:
    (found,) = looked_back(rule, *records)
    return [hit.outcome for hit in found.matches]


def text(lines: Any) -> str:
    return "\n".join(str(line) for line in lines)


# ----------------------------------------------------------------------------------------------------------- the simulation


def test_without_a_cooldown_every_match_is_a_message() -> None:
    assert outcomes(RULE, record(0), record(1, label="Car"), record(2)) == [SENT, SENT]


def test_a_cooldown_is_counted_from_the_message_before_and_in_the_order_of_upload() -> None:
    rule = replace(RULE, cooldown=Cooldown(600))
    records = [record(minutes) for minutes in (25, 0, 9, 10, 19.9, 20)]
    assert outcomes(rule, *records) == [SENT, SUPPRESSED, SENT, SUPPRESSED, SENT, SUPPRESSED]


def test_a_cooldown_can_be_each_sources_own() -> None:
    records = [record(0, source="yard"), record(1, source="gate"), record(2, source="yard")]
    assert outcomes(replace(RULE, cooldown=Cooldown(600)), *records) == [SENT, SUPPRESSED, SUPPRESSED]
    assert outcomes(replace(RULE, cooldown=Cooldown(600, per_source=True)), *records) == [SENT, SENT, SUPPRESSED]


def test_a_match_outside_the_active_hours_sends_nothing_and_starts_no_cooldown() -> None:
    rule = replace(RULE, active_hours=NIGHT, cooldown=Cooldown(3600))
    # 21:30, 22:10 and 22:20 in Berlin.
    assert outcomes(rule, record(8.5 * 60), record(9 * 60 + 10), record(9 * 60 + 20)) == [MUTED, SENT, SUPPRESSED]
    urgent = replace(rule, severity="critical", bypass_quiet_hours=True)
    assert outcomes(urgent, record(8.5 * 60), record(9 * 60 + 10)) == [SENT, SUPPRESSED]


def test_what_the_rule_is_at_the_moment_does_not_hide_what_it_would_do() -> None:
    silent = replace(RULE, enabled=False, snoozed_until="2099-01-01T00:00:00.000Z")
    assert outcomes(silent, record(0)) == [SENT]


def test_a_damaged_record_is_counted_and_ends_nothing() -> None:
    damaged = [{**record(1), "Labels": [{"Name": "Person"}]}, {"Key": "k"}, {**record(2), "UploadedAt": "yesterday"}]
    (found,) = looked_back(RULE, record(0), *damaged, record(3))
    assert (len(found.matches), found.images, found.unreadable) == (2, 5, 3)


def test_two_forms_of_a_rule_are_matched_against_the_same_images() -> None:
    strict = replace(RULE, any_of=(Term("person", 95.0), Term("dog")))
    now, then = looked_back([RULE, strict], record(0), record(1, confidence=97.0), record(2, label="Dog"))
    assert [hit.image.key for hit in then.without(now)] == ["uploads/yard/2-Dog-90.0.jpg"]
    assert [hit.image.key for hit in now.without(then)] == ["uploads/yard/0-Person-90.0.jpg"]
    assert "gains 1, loses 1 images" in text(comparison_lines(then, now))


def test_the_number_of_examined_images_is_reported_page_by_page() -> None:
    reported: list[int] = []
    preview([RULE], [Page([record(0)], 40), Page([], 60)], reported.append)
    assert reported == [40, 60]


TIMES = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["yard", "gate"])), max_size=40, unique=True)


@given(TIMES, st.integers(0, 200), st.booleans(), st.booleans())
def test_every_match_is_sent_held_back_or_muted_as_a_cooldown_would_have_it(
    times: list[tuple[int, str]], minutes: int, per_source: bool, by_night: bool
) -> None:
    rule = replace(RULE, cooldown=Cooldown(60 * minutes, per_source), active_hours=NIGHT if by_night else None)
    (found,) = looked_back(rule, *(record(minute, source=source) for minute, source in times))
    assert len(found.matches) == len(times) == sum(found.count(outcome) for outcome in (SENT, SUPPRESSED, MUTED))
    last: dict[str, datetime] = {}
    for hit in found.matches:
        moment = datetime.fromisoformat(hit.image.uploaded_at)
        assert (hit.outcome == MUTED) == bool(rule.active_hours and not rule.active_hours.contains(moment))
        window = cooldown_scope(rule, hit.image.source)
        if hit.outcome != MUTED and window:
            runs = window.cooldown_id in last and moment < last[window.cooldown_id] + timedelta(minutes=minutes)
            assert hit.outcome == (SUPPRESSED if runs else SENT)
        if hit.outcome == SENT and window:
            last[window.cooldown_id] = moment


@pytest.mark.parametrize(
    ("rule", "within", "most"),
    [
        (RULE, 4, 4),
        (replace(RULE, cooldown=Cooldown(1)), 1, 4),
        (replace(RULE, cooldown=Cooldown(MAX_RUN_SECONDS // 2)), 1, 3),
        (replace(RULE, cooldown=Cooldown(MAX_RUN_SECONDS)), 1, 2),
        (replace(RULE, cooldown=Cooldown(MAX_RUN_SECONDS + 1)), 1, 1),
        (replace(RULE, cooldown=Cooldown(1, per_source=True)), 2, 4),
        (replace(RULE, cooldown=Cooldown(MAX_RUN_SECONDS + 1, per_source=True)), 2, 2),
        (replace(RULE, active_hours=NIGHT), 0, 0),
    ],
)
def test_a_run_sends_at_most_as_many_messages_as_cooldowns_can_end_while_it_lasts(rule: Rule, within: int, most: int) -> None:
    days = 24 * 60  # however far apart the uploads are
    (found,) = looked_back(rule, record(0), record(days), record(2 * days), record(2 * days, source="gate"))
    assert (messages_at_once(found), messages_at_most(found)) == (within, most)


def test_a_run_may_last_as_long_as_its_workflow_says() -> None:
    (workflow,) = (Path(__file__).parents[2] / "statemachine").glob("apply_rule.*")
    assert json.loads(workflow.read_text(encoding="utf-8"))["TimeoutSeconds"] == MAX_RUN_SECONDS


# ------------------------------------------------------------------------------------------------------------ how it reads


def link(image: Any) -> str:
    return f"https://example.com/{image.image_id}"


def shown(found: Preview, since: str = at(0), until: str = at(3 * 24 * 60), examples: int = 5) -> str:
    return text(preview_lines(found, since, until, examples, link))


def test_the_numbers_of_the_headline_add_up() -> None:
    rule = replace(RULE, cooldown=Cooldown(600), active_hours=NIGHT, channels=("email", "ops"))
    (found,) = looked_back(rule, record(0), *(record(9 * 60 + minute) for minute in (10, 11, 12)), record(1, label="Car"))
    assert shown(found).splitlines()[0] == (
        "Gate (gate) would have matched 4 of 5 images, and sent 1 message through each of 2 channels"
        " (2 suppressed by the cooldown of 10 minutes, 1 muted by active hours),"
        " from 2026-11-02 12:00 UTC to 2026-11-05 12:00 UTC."
    )


def test_a_rule_that_asks_for_digests_is_not_said_to_send_messages() -> None:
    (found,) = looked_back(replace(RULE, delivery="digest"), record(0), record(1))
    assert "would have matched 2 of 2 images, and sent 2 matches in digests, from" in shown(found).splitlines()[0]


def test_there_is_a_bar_for_each_day_by_the_rules_own_clock() -> None:
    rule = replace(RULE, active_hours=NIGHT)
    (found,) = looked_back(rule, record(10 * 60 + 59), record(11 * 60 + 1), record(11 * 60 + 2))  # around midnight in Berlin
    lines = [line for line in shown(found).splitlines() if line.startswith("2026-")]
    assert [(line[:10], line.rpartition(" ")[2]) for line in lines] == [
        ("2026-11-02", "1"), ("2026-11-03", "2"), ("2026-11-04", ""), ("2026-11-05", ""),
    ]  # fmt: skip
    assert lines[0].count("█") * 2 == lines[1].count("█")


def test_many_days_without_a_match_are_one_line_and_many_days_are_weeks() -> None:
    (found,) = looked_back(RULE, record(0), record(20 * 24 * 60))
    month = shown(found, until=at(30 * 24 * 60))
    assert "19 of these have no match" in month
    assert "9 of these have no match" in month
    (found,) = looked_back(RULE, record(0), record(300 * 24 * 60))
    year = shown(found, since="1970-01-01T00:00:00.000Z", until=at(365 * 24 * 60))
    assert "Week from" in year
    assert year.count("\n") < 30
    (found,) = looked_back(RULE, record(0), record(3000 * 24 * 60))
    assert "7 weeks" in shown(found, until=at(3001 * 24 * 60))


def test_the_newest_and_then_the_most_confident_of_the_others_are_shown_with_links() -> None:
    (found,) = looked_back(RULE, *(record(minute, confidence=99.97 - minute) for minute in range(9)))
    lines = shown(found, examples=2).splitlines()
    newest, confident = lines.index("Newest:"), lines.index("Highest confidence:")
    assert [line.split(": ")[-1] for line in lines[newest + 1 : newest + 5 : 2]] == ["Person 91.9 %", "Person 92.9 %"]
    assert [line.split(": ")[-1] for line in lines[confident + 1 : confident + 5 : 2]] == ["Person 99.9 %", "Person 98.9 %"]
    assert lines[confident + 2].strip().startswith("https://example.com/")
    assert "Highest confidence" not in shown(found, examples=9)
    assert "Newest" not in shown(found, examples=0)


def test_sources_are_shown_the_busiest_first() -> None:
    rule = replace(RULE, cooldown=Cooldown(600))
    (found,) = looked_back(rule, record(0, source="gate"), *(record(minute, source="yard") for minute in (20, 21, 22)))
    assert "By source: yard 3, 1 sent; gate 1." in shown(found)


def test_a_key_cannot_command_the_terminal() -> None:
    (found,) = looked_back(RULE, record(0, source="\x1b[31m"))
    assert "\x1b" not in shown(found)


def test_scripts_get_every_match_or_as_many_as_they_ask_for() -> None:
    (found,) = looked_back(RULE, *(record(minute) for minute in range(9)), record(1, label="Car"))
    everything = preview_document(found, None, link)
    assert (everything["images"], everything["matched"], everything["sent"], len(everything["matches"])) == (10, 9, 9, 9)
    assert everything["matches"][0]["uploaded_at"] == at(8)
    some = preview_document(found, 2, link)
    assert (len(some["matches"]), some["matches_omitted"]) == (2, 7)
    assert some["by_day"] == [{"day": "2026-11-02", "matched": 9, "sent": 9, "suppressed": 0, "muted": 0}]
