"""What an alert says: safe to publish whatever a file is called, exact about how sure, and one for each rule and version."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.alerts.alert import Alert, alert_id
from imagewatch.alerts.alert_text import MAX_SUBJECT, Entry, MessageText, by_severity, compose, render_moderation
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.rules.matching import MAX_MATCHES
from imagewatch.text import one_line

IMAGE = ImageVersion("photos", "uploads/front-door/car 1.jpg", "v1", "e1", "00AA", 1000, "2026-11-20T16:05:09.123Z")
CLEAN = {"Status": "CHECKED", "Labels": [], "ModelVersion": "7.0"}
UNCHECKED = {"Status": "NOT_CHECKED", "Reason": "No moderation model examined this image.", "Labels": [], "ModelVersion": "none"}
LINK = "https://watch.example.com/images/abc"
HISTORY = "https://watch.example.com/executions/def"
MAX_MESSAGE_BYTES = 262_144  # SNS
LONG_TEXT = st.builds(lambda piece, times: piece * times, st.text(max_size=30), st.integers(0, 60))
"""Up to 1,800 characters. Plain st.text() hardly ever exceeds 50, and the limits are 99 and 400."""
HOSTILE = [
    "a\r\nBcc: everyone@example.com\r\n\r\nhello.jpg",
    "tab\there\x00\x07\x7f\x85.jpg",
    "\u2028line\u2029paragraph.jpg",
    "\u202egpj.exe",
    "👩\u200d👩\u200d👧\u200d👦" * 60 + ".jpg",
    "🦊" * 300,
    "字" * 300 + ".jpg",
    "e\u0301" * 200,
    " ",
    "\n",
    "\ud800half.jpg",
    "\ue000private\ufffe.jpg",
    "%0d%0aSubject: x",
    "…" * 120,
]


def match(
    label: str = "Car", confidence: float = 91.37, term: str = "vehicle", kind: str = "parent", count: int = 1
) -> dict[str, Any]:
    return {"Term": term, "Label": label, "Kind": kind, "Confidence": confidence, "Count": count}


def alert(key: str = IMAGE.key, name: str = "Night watch", rule_id: str = "rule-1", **more: Any) -> MessageText:
    rule = {"RuleId": rule_id, "Name": name, "Matches": more.get("matches") or [match()]}
    rule |= {"MoreMatches": more["more"]} if "more" in more else {}
    return sent_for(rule, image=replace(IMAGE, key=key), moderation=more.get("moderation", CLEAN))


def sent_for(*rules: dict[str, Any] | dict[str, object], image: ImageVersion = IMAGE, moderation: Any = CLEAN) -> MessageText:
    entries = [Entry(Alert.of(image, MatchedRule.from_item(rule), LINK)) for rule in rules]
    return compose(image, by_severity(entries), moderation, HISTORY)


def id_in(sent: MessageText) -> str:
    """The alert's id, as the message gives it."""
    return sent.body.rpartition(" ")[2]


def assert_safe_subject(subject: str) -> None:
    assert 0 < len(subject) < 100
    assert len(subject.encode("utf-16-le")) // 2 < 100  # however SNS counts an emoji
    assert not [c for c in subject if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert subject == subject.strip()


def assert_safe_body(body: str, lines: int) -> None:
    assert len(body.encode()) < MAX_MESSAGE_BYTES
    assert len(body.splitlines()) == lines
    assert not [c for c in body.replace("\n", "") if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


PLAIN_LINES = len(alert().body.splitlines())


def test_an_alert_says_what_how_sure_which_image_which_rule_and_where_to_look() -> None:
    sent = alert(matches=[match("Car", 91.37), match("Truck", 80.0, count=3), match("Vehicle", 75, term="Vehicle", kind="name")])
    assert sent.subject == "Night watch: vehicle (Car) 91.3 % in front-door/car 1.jpg"
    lines = sent.body.splitlines()
    assert lines[0] == 'Your rule "Night watch" matched an image.'
    assert lines[2:5] == [
        "  vehicle (Car), 91.3 % sure",
        "  vehicle (Truck), 80 % sure, 3 of them",
        "  Vehicle, 75 % sure",
    ]
    assert "Image:      uploads/front-door/car 1.jpg" in lines
    assert "From:       front-door" in lines
    assert "Uploaded:   2026-11-20 16:05:09 UTC" in lines
    assert "Moderation: nothing found" in lines
    assert f"See the image:           {LINK}" in lines
    assert f"See how it was analysed: {HISTORY}" in lines
    assert lines[-4] == "This rule (id rule-1, version 1) is on your watchlist."
    assert lines[-3] == "Too many of these? imagewatch rules edit rule-1 --cooldown 10m"
    assert lines[-2] == "To mute it for some hours: imagewatch rules snooze rule-1 --for 8h"
    assert lines[-1] == f"Was it wrong? imagewatch alerts not-this {id_in(sent)}"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_or_rule_name_makes_a_message_that_sns_takes(text: str) -> None:
    for sent in (
        alert(key=f"uploads/{text}"),
        alert(name=text),
        alert(matches=[match(label=text, term=text)]),
        alert(rule_id=text),
    ):
        assert_safe_subject(sent.subject)
        assert_safe_body(sent.body, PLAIN_LINES)


@given(LONG_TEXT, LONG_TEXT, LONG_TEXT)
def test_any_file_rule_and_label_makes_a_message_that_sns_takes(file_name: str, rule_name: str, label: str) -> None:
    sent = alert(key=f"uploads/{file_name}", name=rule_name, matches=[match(label=label)])
    assert_safe_subject(sent.subject)
    assert_safe_body(sent.body, PLAIN_LINES)


@given(st.text(min_size=300, max_size=400, alphabet=st.characters(min_codepoint=0x1F300, max_codepoint=0x1F5FF)))
def test_a_long_subject_is_cut_between_characters_and_shows_it(file_name: str) -> None:
    subject = alert(key=f"uploads/{file_name}").subject
    assert subject.endswith("…")
    assert len(subject.encode("utf-16-le")) // 2 >= MAX_SUBJECT - 2


def test_a_subject_that_fits_exactly_is_not_cut() -> None:
    short = alert(key="uploads/x").subject
    fitting = "x" * (MAX_SUBJECT - len(short) + 1)
    assert alert(key=f"uploads/{fitting}").subject == short + fitting[1:]
    assert alert(key=f"uploads/{fitting}x").subject == (short + fitting[1:])[:-1] + "…"


def test_a_long_rule_name_leaves_room_for_what_was_found() -> None:
    subject = alert(name="A rule with a very long name " * 10).subject
    assert "vehicle (Car) 91.3 %" in subject


def test_names_that_cannot_be_shown_are_replaced_by_words() -> None:
    assert alert(key="uploads/\u200b", name="\u200b").subject == "Unnamed rule: vehicle (Car) 91.3 % in a file without a name"


def test_many_matches_are_named_up_to_a_readable_number() -> None:
    sent = alert(matches=[match(f"Label {n} " + "🦊" * 400, 90, term="🦊" * 500) for n in range(MAX_MATCHES)], more=980)
    assert "  and 980 more" in sent.body.splitlines()
    assert len(sent.body.encode()) < MAX_MESSAGE_BYTES
    assert "more" not in alert(matches=[match(f"Label {n}") for n in range(MAX_MATCHES)]).body.split("Image:")[0]


@pytest.mark.parametrize(
    ("confidence", "shown"),
    [
        (79.96, "79.9 %"),
        (79.999999, "79.9 %"),
        (80, "80 %"),
        (80.0, "80 %"),
        (99.99, "99.9 %"),
        (100, "100 %"),
        (0, "0 %"),
        (91.3, "91.3 %"),
    ],
)
def test_a_percentage_is_never_rounded_up(confidence: float, shown: str) -> None:
    assert alert(matches=[match(confidence=confidence)]).subject == f"Night watch: vehicle (Car) {shown} in front-door/car 1.jpg"


@given(st.floats(0, 100))
def test_a_shown_percentage_is_at_most_a_tenth_below(confidence: float) -> None:
    [shown] = re.findall(r"([0-9.]+) %", alert(matches=[match(confidence=confidence)]).subject)
    assert 0 <= Decimal(str(confidence)) - Decimal(shown) < Decimal("0.1")


def test_every_stored_confidence_is_shown_without_rounding_up() -> None:
    for hundredths in range(10_001):
        [shown] = re.findall(
            r"([0-9.]+) %", render_moderation({"Status": "CHECKED", "Labels": [{"Name": "A", "Confidence": hundredths / 100}]})
        )
        assert float(shown) == math.floor(hundredths / 10) / 10


@pytest.mark.parametrize("reason", ["No moderation model examined this image.", "", "a\nb"])
def test_what_was_not_checked_is_never_called_clean(reason: str) -> None:
    line = render_moderation(UNCHECKED | {"Reason": reason})
    assert line == f"not checked. {' '.join(reason.split())}".strip()
    body = alert(moderation=UNCHECKED | {"Reason": reason}).body
    assert "Moderation: not checked" in body
    assert not re.search(r"nothing found|clean|safe", body)


@pytest.mark.parametrize("status", ["NOT_CHECKED", "UNAVAILABLE", "", None])
def test_only_a_checked_status_counts_as_checked(status: str | None) -> None:
    assert render_moderation({"Status": status, "Labels": []}) == "not checked."


def test_moderation_names_the_three_with_the_highest_confidence() -> None:
    labels = [{"Name": name, "Confidence": sure} for name, sure in (("A", 50.0), ("B", 99.99), ("C", 60.0), ("D", 70.0))]
    assert render_moderation({"Status": "CHECKED", "Labels": labels}) == "B (99.9 %), D (70 %), C (60 %)"


def test_the_same_match_is_the_same_alert_whatever_is_retried() -> None:
    again = alert(matches=[match(confidence=50), match("Truck")], name="Renamed", moderation=UNCHECKED)
    assert id_in(again) == id_in(alert()) == alert_id(IMAGE, "rule-1")
    assert re.fullmatch("[0-9a-f]{32}", id_in(again))


def test_each_rule_and_each_version_has_its_own_alert() -> None:
    rule = {"RuleId": "rule-1", "Name": "N", "Matches": [match()]}
    versions = [IMAGE, replace(IMAGE, version_id="v2"), replace(IMAGE, key="uploads/b.jpg"), replace(IMAGE, bucket="other")]
    ids = {id_in(sent_for(rule | {"RuleId": r}, image=image)) for image in versions for r in ("rule-1", "rule-2")}
    assert len(ids) == 8


@given(LONG_TEXT)
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 400
    assert one_line(line) == line


@pytest.mark.parametrize("text", ["Tür 1.jpg", "日本 🦊.jpg", "a-b_c (1) [x] {y} #1 ?=&+%.JPG", "e\u0301"])
def test_readable_names_stay_as_they_are(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("labels", "result"), [([], "nothing found"), ([{"Name": "Explicit", "Confidence": 91}], "Explicit (91 %)")]
)
def test_the_moderation_line_names_the_scope_of_a_limited_check(labels: list[dict[str, Any]], result: str) -> None:
    moderation = {"Status": "CHECKED", "Scope": "explicit content only", "Labels": labels}
    assert render_moderation(moderation) == f"{result}; checked for explicit content only"


# --------------------------------------------------------------------------------------------------- several rules at once


def several(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"RuleId": name, "Name": f"Rule {name}", "Matches": [match()], **more} for name in names]


def test_a_message_about_several_rules_lists_each_with_its_matches_and_its_commands() -> None:
    urgent = {"RuleId": "dog", "Name": "Dog", "Severity": "critical", "Matches": [match("Dog", 99.99, "dog", "name")]}
    sent = sent_for(*several("one", "two"), urgent)
    assert sent.subject == "CRITICAL: 3 rules matched in front-door/car 1.jpg: Dog, Rule one, Rule two"
    lines = sent.body.splitlines()
    assert lines[0] == "3 of your rules matched an image."
    assert [line for line in lines if line.endswith("):")] == [
        '"Dog" (critical):', '"Rule one" (warning):', '"Rule two" (warning):',
    ]  # fmt: skip
    assert lines.count("  vehicle (Car), 91.3 % sure") == 2
    for rule_id in ("dog", "one", "two"):
        assert f"  imagewatch rules edit {rule_id} --cooldown 10m" in lines
        assert sum(f"not-this {alert_id(IMAGE, rule_id)}" in line for line in lines) == 1
    assert sent.body.endswith(sent.feedback)


def test_a_message_about_twenty_rules_of_any_size_is_one_that_sns_takes() -> None:
    long = [match(f"{n} " + "🦊" * 400, 90, term="字" * 500) for n in range(MAX_MATCHES)]
    sent = sent_for(*({**rule, "Name": "🦊" * 400, "Matches": long, "MoreMatches": 3} for rule in several(*map(str, range(20)))))
    assert_safe_subject(sent.subject)
    assert len(sent.body.encode()) < MAX_MESSAGE_BYTES
    assert len(sent.feedback) <= 2000  # what Slack shows of it


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_break_no_line_of_a_message_about_several_rules(text: str) -> None:
    plain = len(sent_for(*several("one", "two")).body.splitlines())
    sent = sent_for({"RuleId": "one", "Name": text, "Matches": [match(text, 90, text)]}, *several("two"))
    assert_safe_subject(sent.subject)
    assert_safe_body(sent.body, plain)


@pytest.mark.parametrize(("seconds", "offered"), [(0, "10m"), (60, "10m"), (600, "1h"), (3600, "1d"), (86_400, None)])
def test_the_next_longer_cooldown_is_offered(seconds: int, offered: str | None) -> None:
    body = sent_for(*several("one", Cooldown={"Seconds": seconds})).body
    assert re.findall(r"--cooldown (\w+)", body) == ([offered] if offered else [])


def test_a_subject_names_the_camera_even_when_everything_is_long() -> None:
    subject = sent_for(*several("one"), image=replace(IMAGE, key=f"uploads/{'garage-' * 9}/{'x' * 200}.jpg")).subject
    assert "in garage-garage-" in subject
    assert "in front-door/" in sent_for(*several(*(f"rule-{n}" * 5 for n in range(9)))).subject
