"""What a digest says: every match in a number, safe to publish whatever things are called, and never too big."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.cooldown import Suppressed
from imagewatch.digests import MAX_RULES, Told, compose, span

MAX_MESSAGE_BYTES = 262_144  # SNS
MATCHES = re.compile(r'^(\d+) match(?:es)? of (?:"|\d+ other rules)', re.MULTILINE)
SUPPRESSED = re.compile(r"(\d+) more match(?:es)? (?:of this rule since|were suppressed)")


def alert(rule_id: str = "gate", number: int = 0, severity: str = "warning", **more: Any) -> dict[str, Any]:
    match = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 90.0, "Count": 1}
    return {
        "AlertId": f"{number:032x}",
        "RuleId": rule_id,
        "RuleName": f"Rule {rule_id}",
        "Severity": severity,
        "Rule": {"Matches": [match]},
        "Key": f"uploads/door/{number}.jpg",
        "Link": f"https://watch.example.com/images/{number}",
        "CreatedAt": f"2026-11-20T09:{number % 60:02}:00.000Z",
        **more,
    }


def told(rule_id: str, count: int) -> Told:
    return Told(rule_id, f"Rule {rule_id}", Suppressed(count, "2026-11-20T09:00:00.000Z", 600))


@given(
    st.lists(st.tuples(st.integers(0, MAX_RULES + 60), st.sampled_from(["info", "warning", "critical"])), max_size=400),
    st.dictionaries(st.integers(0, 2 * MAX_RULES + 60), st.integers(0, 1000), max_size=MAX_RULES + 50),
)
def test_every_match_is_in_a_number_that_the_digest_says(rules: list[tuple[int, str]], owed: dict[int, int]) -> None:
    alerts = [alert(f"rule-{rule}", number) for number, (rule, _) in enumerate(rules)]
    counts = [told(f"rule-{rule}", count) for rule, count in owed.items()]
    if not alerts and not any(owed.values()):
        return
    body = compose(alerts, counts).body
    assert sum(map(int, MATCHES.findall(body))) == len(alerts)
    assert sum(map(int, SUPPRESSED.findall(body))) == sum(owed.values())


def test_severe_rules_come_first_then_those_with_most_matches() -> None:
    alerts = [alert("few", 1), *(alert("many", n) for n in range(2, 5)), alert("severe", 9, "critical")]
    digest = compose(alerts, [])
    assert re.findall(r'of "Rule (\w+)"', digest.body) == ["severe", "many", "few"]
    assert digest.subject == "CRITICAL: 5 matches of 3 rules in 8 minutes"


def test_a_digest_of_the_longest_names_and_links_is_small_enough_for_sns() -> None:
    long = {"RuleName": "\U0001f98a" * 100, "Key": "uploads/" + "字" * 340, "Link": "https://example.com/" + "%E5" * 1024}
    found = {"Term": "字" * 100, "Label": "\U0001f98a" * 200, "Kind": "parent", "Confidence": 90.0, "Count": 1}
    alerts = [alert(f"rule-{n % 500}", n, Rule={"Matches": [found]}, **long) for n in range(2000)]
    digest = compose(alerts, [told(f"rule-{n}", 5) for n in range(500)])
    assert len(digest.body.encode()) < MAX_MESSAGE_BYTES
    assert len(digest.subject.encode("utf-16-le")) // 2 < 100


@pytest.mark.parametrize("text", ["a\r\nBcc: x@example.com", "\u2028line", "\u202egpj.exe", "\x00", ""])
def test_a_hostile_name_breaks_no_line(text: str) -> None:
    plain = len(compose([alert()], []).body.splitlines())
    for digest in (compose([alert(RuleName=text)], []), compose([alert(Key=f"uploads/{text}")], [])):
        assert len(digest.body.splitlines()) == plain
        assert len(digest.subject.splitlines()) == 1


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("09:00:00.000", "09:00:00.000", "1 second"),
        ("09:00:00.000", "09:00:41.200", "41 seconds"),
        ("09:00:00.000", "09:04:58.000", "5 minutes"),
        ("09:00:00.000", "10:30:00.000", "90 minutes"),
        ("09:00:00.000", "14:10:00.000", "5 hours"),
    ],
)
def test_the_time_is_told_as_people_say_it(first: str, last: str, words: str) -> None:
    moments = [alert(CreatedAt=f"2026-11-20T{moment}Z") for moment in (last, first)]
    assert span(moments) == words
