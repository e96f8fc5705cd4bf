"""What a digest says: every match in a number, safe to publish whatever things are called, and never too big."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.alerts.alert import Alert
from imagewatch.alerts.channel import DIGEST, Message
from imagewatch.alerts.cooldown import Suppressed
from imagewatch.alerts.digest import SuppressedCount
from imagewatch.alerts.digest_text import MAX_COOLDOWNS, MAX_RULES, compose, max_bytes, span
from imagewatch.alerts.slack_text import MAX_SECTION, MAX_TEXT, slack_payload
from imagewatch.rules.matched_rule import MatchedRule

MAX_MESSAGE_BYTES = 262_144  # SNS
MATCHES = re.compile(r'^(\d+) match(?:es)? of (?:"|\d+ other rule)', re.MULTILINE)
SUPPRESSED = re.compile(r"(\d+) more match(?:es)? (?:of this rule since|(?:was|were) suppressed)")
CHANNELS = ["email", "slack", "webhook"]
RULES = st.integers(0, 2 * MAX_RULES + 60)
SEVERITIES = st.sampled_from(["info", "warning", "critical"])
MANY = (st.just(0) | st.integers(0, MAX_RULES + 60)).map(range)
"""Rules, so many that the limit is reached; plain strategies for lists hardly ever do."""


def alert(rule_id: str = "gate", number: int = 0, severity: str = "warning", **more: Any) -> Alert:
    match = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 90.0, "Count": 1}
    name, matches = more.pop("rule_name", f"Rule {rule_id}"), more.pop("matches", [match])
    fields: dict[str, Any] = {
        "alert_id": f"{number:032x}",
        "rule": MatchedRule.from_item({"RuleId": rule_id, "Name": name, "Severity": severity, "Matches": matches}),
        "channels": ("email",),
        "image_id": "i1",
        "version": "v1",
        "bucket": "photos",
        "key": f"uploads/door/{number}.jpg",
        "source": "door",
        "link": f"https://watch.example.com/images/{number}",
        "created_at": f"2026-11-20T09:{number % 60:02}:00.000Z",
    }
    return Alert(**fields | more)


def suppressed_count(rule_id: str, count: int) -> SuppressedCount:
    return SuppressedCount(rule_id, f"Rule {rule_id}", Suppressed(count, "2026-11-20T09:00:00.000Z", 600))


@given(
    st.builds(list.__add__, st.lists(st.tuples(RULES, SEVERITIES), max_size=60), MANY.map(lambda n: [(i, "info") for i in n])),
    st.builds(dict.__or__, MANY.map(lambda n: dict.fromkeys(n, 1)), st.dictionaries(RULES, st.integers(0, 1000), max_size=60)),
)
def test_every_match_is_in_a_number_that_the_digest_says(rules: list[tuple[int, str]], counts: dict[int, int]) -> None:
    for kind in CHANNELS:
        says_every_match(kind, rules, counts)


def says_every_match(kind: str, rules: list[tuple[int, str]], counts: dict[int, int]) -> None:
    alerts = [alert(f"rule-{rule}", number) for number, (rule, _) in enumerate(rules)]
    reports = [suppressed_count(f"rule-{rule}", count) for rule, count in counts.items()]
    if not alerts and not any(counts.values()):
        return
    digest = compose(alerts, reports, max_bytes(kind))
    body = "\n".join(on_slack(digest.subject, digest.body)) if kind == "slack" else digest.body
    assert len(digest.body.encode()) <= max_bytes(kind)
    first = body.splitlines()[0]
    suppressed = sum(counts.values())
    assert first.startswith("In all: ")
    assert [int(number) for number in re.findall(r"(\d+) (?:match|more)", first)] == [n for n in (len(alerts), suppressed) if n]
    assert sum(map(int, MATCHES.findall(body))) == len(alerts)
    assert sum(map(int, SUPPRESSED.findall(body))) == sum(counts.values())


def on_slack(subject: str, body: str) -> list[str]:
    """The sections that Slack shows, after its own limits."""
    blocks = slack_payload(Message(subject, body, kind=DIGEST), None)["blocks"]
    assert len(blocks) <= 50
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    assert max(map(len, texts)) <= MAX_SECTION
    assert sum(map(len, texts)) <= MAX_TEXT
    return texts


def test_slack_names_twelve_rules_with_their_suppressed_counts_and_whole_links() -> None:
    alerts = [alert(f"rule-{n % 12:02}", n, link=f"https://watch.example.com/images/{n:064}?from=digest") for n in range(120)]
    digest = compose(alerts, [suppressed_count(f"rule-{n:02}", 7) for n in range(12)], max_bytes("slack"))
    texts = on_slack(digest.subject, digest.body)
    body = "\n".join(texts)
    assert len(texts) > 1
    assert body.startswith("In all: 120 matches of 12 rules, and 84 more suppressed by cooldowns.\n")
    assert body.count("10 matches of ") == 12
    assert body.count("7 more matches of this rule since") == 12
    links = re.findall(r"https?://\S*", body)
    assert len(links) > 20
    assert all(link.endswith("?from=digest") for link in links)
    assert "too long" not in body


def test_a_digest_with_more_rules_than_slack_shows_ends_with_the_sums_of_the_others() -> None:
    long = {"rule_name": "\U0001f98a" * 100}
    counts = [suppressed_count(f"rule-{n:03}", 3) for n in range(150)]
    digest = compose([alert(f"rule-{n:03}", n, **long) for n in range(150)], counts, 9000)
    (rest,) = re.findall(r"^(\d+) matches of \1 other rules$", digest.body, re.MULTILINE)
    assert 0 < int(rest) < 150
    assert f"{rest} other rules: {3 * int(rest)} more matches were suppressed by cooldowns." in digest.body


def test_a_rule_with_very_many_cooldowns_reports_the_largest_counts_and_the_sum_of_the_others() -> None:
    digest = compose([], [suppressed_count("gate", n) for n in range(1, MAX_COOLDOWNS + 3)])
    assert f'"Rule gate": {MAX_COOLDOWNS + 2} more matches of this rule since' in digest.body
    assert '"Rule gate": 3 more matches were suppressed by 2 other cooldowns of this rule.' in digest.body
    assert digest.body.startswith(f"In all: {sum(range(1, MAX_COOLDOWNS + 3))} matches of 1 rule, suppressed by cooldowns.\n")


def test_severe_rules_come_first_then_those_with_most_matches() -> None:
    alerts = [alert("few", 1), *(alert("many", n) for n in range(2, 5)), alert("severe", 9, "critical")]
    digest = compose(alerts, [])
    assert re.findall(r'of "Rule (\w+)"', digest.body) == ["severe", "many", "few"]
    assert digest.subject == "CRITICAL: 5 matches of 3 rules in 8 minutes"


def test_a_digest_of_the_longest_names_and_links_is_small_enough_for_sns() -> None:
    long = {"rule_name": "\U0001f98a" * 100, "key": "uploads/" + "字" * 340, "link": "https://example.com/" + "%E5" * 1024}
    found = {"Term": "字" * 100, "Label": "\U0001f98a" * 200, "Kind": "parent", "Confidence": 90.0, "Count": 1}
    alerts = [alert(f"rule-{n % 500}", n, matches=[found], **long) for n in range(2000)]
    digest = compose(alerts, [suppressed_count(f"rule-{n}", 5) for n in range(500)])
    assert len(digest.body.encode()) < MAX_MESSAGE_BYTES
    assert len(digest.subject.encode("utf-16-le")) // 2 < 100


@pytest.mark.parametrize("text", ["a\r\nBcc: x@example.com", "\u2028line", "\u202egpj.exe", "\x00", ""])
def test_a_hostile_name_breaks_no_line(text: str) -> None:
    plain = len(compose([alert()], []).body.splitlines())
    for digest in (compose([alert(rule_name=text)], []), compose([alert(key=f"uploads/{text}")], [])):
        assert len(digest.body.splitlines()) == plain
        assert len(digest.subject.splitlines()) == 1


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("09:00:00.000", "09:00:00.000", "1 second"),
        ("09:00:00.000", "09:00:01.400", "1 second"),
        ("09:00:00.000", "09:00:01.600", "2 seconds"),
        ("09:00:00.000", "09:00:41.200", "41 seconds"),
        ("09:00:00.000", "09:01:29.700", "90 seconds"),
        ("09:00:00.000", "09:01:30.000", "2 minutes"),
        ("09:00:00.000", "09:04:58.000", "5 minutes"),
        ("09:00:00.000", "10:30:00.000", "90 minutes"),
        ("09:00:00.000", "14:10:00.000", "5 hours"),
    ],
)
def test_the_time_is_rounded_as_people_say_it(first: str, last: str, words: str) -> None:
    moments = [alert(created_at=f"2026-11-20T{moment}Z") for moment in (last, first)]
    assert span(moments) == words
