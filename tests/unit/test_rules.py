"""A rule's record: what is valid, what is refused and with which words, and that the published schema says the same."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from imagewatch.errors import InvalidRule
from imagewatch.rules.matched_rule import Cooldown
from imagewatch.rules.model import MAX_TERMS, Rule, Term
from imagewatch.rules.schedule import ActiveHours, ActiveWindow
from imagewatch.rules.vocabulary import common_labels, known_names, suggestions
from imagewatch.text import words_of

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "rule.schema.json").read_text(encoding="utf-8")))
Record = dict[str, Any]

OLD: Record = {"RuleId": "r1", "Name": " Night watch ", "Terms": [{"Term": "Car", "MinConfidence": 80}], "Enabled": True}
RECORD: Record = {"RuleId": "r1", "Name": "Night watch", "AnyOf": [{"Term": "Car"}]}
FULL: Record = {
    "RuleId": "person-at-gate",
    "Name": "Person at gate",
    "Version": 3,
    "Enabled": False,
    "Severity": "critical",
    "AnyOf": [{"Term": "person", "MinConfidence": 90.0, "In": "label", "MinInstances": 2, "MinArea": 0.01}],
    "AllOf": [{"Term": "gate", "MinConfidence": 80.0}],
    "NoneOf": [{"Term": "staff", "MinConfidence": 70.5, "In": "text"}],
    "Sources": ["front-door", "hof-2"],
    "KeyPrefixes": ["yard/night/"],
    "ActiveHours": {"TimeZone": "Europe/Berlin", "Windows": [{"Days": ["fri", "sat"], "From": "22:00", "To": "06:00"}]},
    "SnoozedUntil": "2026-12-01T08:00:00.000Z",
    "Cooldown": {"Seconds": 600, "PerSource": True},
    "BypassQuietHours": True,
    "Channels": ["email", "slack-ops"],
    "CreatedAt": "2026-11-01T08:00:00.000Z",
    "UpdatedAt": "2026-11-20T08:00:00.000Z",
}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA.schema)


def test_a_rule_as_it_used_to_be_written_stays_valid() -> None:
    assert Rule.from_item(OLD) == Rule("r1", "Night watch", (Term("Car", 80.0),))
    assert Rule.from_item({**OLD, "Enabled": False}).enabled is False
    assert SCHEMA.is_valid(OLD)


def test_what_is_left_out_has_its_default() -> None:
    rule = Rule.from_item(RECORD)
    assert rule.any_of == (Term("Car", 80.0, "any", 0, 0.0),)
    assert (rule.version, rule.enabled, rule.severity, rule.channels) == (1, True, "warning", ("email",))
    assert (rule.cooldown, rule.active_hours, rule.snoozed_until, rule.bypass_quiet_hours) == (Cooldown(0), None, "", False)
    assert (rule.sources, rule.key_prefixes, rule.all_of, rule.none_of) == ((), (), (), ())


def test_every_field_is_read() -> None:
    assert Rule.from_item(FULL) == Rule(
        "person-at-gate",
        "Person at gate",
        (Term("person", 90.0, "label", 2, 0.01),),
        (Term("gate", 80.0),),
        (Term("staff", 70.5, "text"),),
        version=3,
        enabled=False,
        severity="critical",
        sources=("front-door", "hof-2"),
        key_prefixes=("yard/night/",),
        active_hours=ActiveHours("Europe/Berlin", (ActiveWindow(("fri", "sat"), 22 * 60, 6 * 60),)),
        snoozed_until="2026-12-01T08:00:00.000Z",
        cooldown=Cooldown(600, per_source=True),
        bypass_quiet_hours=True,
        channels=("email", "slack-ops"),
        created_at="2026-11-01T08:00:00.000Z",
        updated_at="2026-11-20T08:00:00.000Z",
    )


def test_a_record_that_is_read_and_written_is_the_same() -> None:
    assert Rule.from_item(FULL).to_item() == FULL
    assert Rule.from_item(OLD).to_item() == {
        "RuleId": "r1",
        "Name": "Night watch",
        "Version": 1,
        "Enabled": True,
        "Severity": "warning",
        "Channels": ["email"],
        "AnyOf": [{"Term": "Car", "MinConfidence": 80.0}],
    }


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-12-01T09:00:00+01:00", "2026-12-01T08:00:00.000Z"),
        ("2026-12-01T08:00:00Z", "2026-12-01T08:00:00.000Z"),
        ("2026-12-01 08:00Z", "2026-12-01T08:00:00.000Z"),
    ],
)
def test_a_moment_is_stored_in_utc(given: str, stored: str) -> None:
    assert Rule.from_item({**RECORD, "SnoozedUntil": given}).snoozed_until == stored


def test_what_is_named_twice_counts_once() -> None:
    rule = Rule.from_item({**RECORD, "Channels": ["email", "slack", "email"], "Sources": ["a", "a"]})
    assert (rule.channels, rule.sources) == (("email", "slack"), ("a",))


TEXTS = "one line of text with 1 to 100 characters"
WHOLE = "a whole number from"


def term(**changes: Any) -> Record:
    return {"AnyOf": [*RECORD["AnyOf"], {"Term": "Dog", **changes}]}


CRITICAL = {"Severity": "critical"}
REFUSED: list[tuple[Record, str]] = [
    ({"Name": ""}, f"Name must be {TEXTS}, not ''."),
    ({"Name": "  "}, f"Name must be {TEXTS}, not '  '."),
    ({"Name": None}, f"Name must be {TEXTS}, not None."),
    ({"Name": 7}, f"Name must be {TEXTS}, not 7."),
    ({"Name": "two\nlines"}, f"Name must be {TEXTS}, not 'two\\nlines'."),
    ({"Name": "x" * 101}, f"Name must be {TEXTS}, not "),
    ({"Enabled": "yes"}, "Enabled must be true or false, not 'yes'."),
    ({"Enabled": 1}, "Enabled must be true or false, not 1."),
    ({"Enabled": None}, "Enabled must be true or false, not None."),
    ({"Version": 0}, f"Version must be {WHOLE} 1 to 1000000000, not 0."),
    ({"Version": 1.5}, f"Version must be {WHOLE} 1 to 1000000000, not 1.5."),
    ({"Version": True}, f"Version must be {WHOLE} 1 to 1000000000, not True."),
    ({"Severity": "high"}, "Severity must be one of info, warning, critical, not 'high'."),
    ({"Severity": ["info"]}, "Severity must be one of info, warning, critical, not ['info']."),
    ({"AnyOf": []}, "AnyOf must be a list with at least one entry, unless AllOf, Sources or KeyPrefixes has one."),
    ({"AnyOf": None}, "AnyOf must be a list, not None."),
    ({"AnyOf": "Car"}, "AnyOf must be a list, not 'Car'."),
    ({"AnyOf": {"Term": "Car"}}, "AnyOf must be a list, not {'Term': 'Car'}."),
    ({"AnyOf": [{"Term": "Car"}] * (MAX_TERMS + 1)}, "AnyOf must be a list with at most 100 entries, not 101."),
    ({"AllOf": "Car"}, "AllOf must be a list, not 'Car'."),
    ({"NoneOf": ["Car"]}, "NoneOf, entry 1 must be a term such as {Term: person, MinConfidence: 80}, not 'Car'."),
    ({"Terms": [{"Term": "Car"}]}, "Terms is the older name of AnyOf; one of them must be left out."),
    ({"AnyOf": [{}]}, f"AnyOf, entry 1: Term is missing; it must be {TEXTS}."),
    (term(Term=""), f"AnyOf, entry 2: Term must be {TEXTS}, not ''."),
    (term(Term=7), f"AnyOf, entry 2: Term must be {TEXTS}, not 7."),
    (term(MinConfidence="80"), "AnyOf, entry 2 (Dog): MinConfidence must be a number from 0 to 100, not '80'."),
    (term(MinConfidence=True), "AnyOf, entry 2 (Dog): MinConfidence must be a number from 0 to 100, not True."),
    (term(MinConfidence=-0.1), "AnyOf, entry 2 (Dog): MinConfidence must be a number from 0 to 100, not -0.1."),
    (term(MinConfidence=100.1), "AnyOf, entry 2 (Dog): MinConfidence must be a number from 0 to 100, not 100.1."),
    (term(MinConfidence=None), "AnyOf, entry 2 (Dog): MinConfidence must be a number from 0 to 100, not None."),
    (term(In="labels"), "AnyOf, entry 2 (Dog): In must be one of any, label, parent, category, moderation, text, not 'labels'."),
    (term(MinInstances=0), f"AnyOf, entry 2 (Dog): MinInstances must be {WHOLE} 1 to 100, not 0."),
    (term(MinInstances=1.5), f"AnyOf, entry 2 (Dog): MinInstances must be {WHOLE} 1 to 100, not 1.5."),
    (term(MinArea=1.01), "AnyOf, entry 2 (Dog): MinArea must be a number from 0 to 1, not 1.01."),
    (
        term(In="moderation", MinArea=0.1),
        "AnyOf, entry 2 (Dog): MinInstances and MinArea must be left out: moderation labels have no boxes.",
    ),
    (term(In="text", MinInstances=2), "AnyOf, entry 2 (Dog): MinInstances must be left out: each line of text counts as one."),
    (term(MinConfidenc=70), "AnyOf, entry 2: 'MinConfidenc' is not a field of it. Did you mean MinConfidence?"),
    ({"Sources": []}, "Sources must be a list with 1 to 100 entries, each the name of a folder directly below uploads/"),
    ({"Sources": ["a/b"]}, "Sources must be a list with 1 to 100 entries, each the name of a folder directly below uploads/"),
    ({"Sources": "gate"}, "Sources must be a list with 1 to 100 entries, each the name of a folder directly below uploads/"),
    ({"KeyPrefixes": ["uploads/gate/"]}, "KeyPrefixes must be a list with 1 to 100 entries, each the beginning of a key below "),
    ({"KeyPrefixes": ["/gate"]}, "KeyPrefixes must be a list with 1 to 100 entries, each the beginning of a key below uploads/"),
    ({"KeyPrefixes": [""]}, "KeyPrefixes must be a list with 1 to 100 entries, each the beginning of a key below uploads/"),
    ({"ActiveHours": "always"}, "ActiveHours must be a TimeZone and Windows, not 'always'."),
    ({"ActiveHours": None}, "ActiveHours must be a TimeZone and Windows, not None."),
    ({"ActiveHours": {"TimeZone": "UTC", "Windows": []}}, "ActiveHours: Windows must have at least one entry; leave out"),
    ({"Delivery": "later"}, "Delivery must be one of immediate, digest, not 'later'."),
    ({"Delivery": "digest", "Cooldown": {"Seconds": 60}}, "Cooldown must be left out, or Delivery must be immediate: a digest"),
    (
        {"Delivery": "digest", "Cooldown": {"Seconds": 0}, "Severity": "critical", "BypassQuietHours": True},
        "BypassQuietHours must be false, or Delivery must be immediate: such a rule never waits for a digest.",
    ),
    ({"SnoozedUntil": "tomorrow"}, "SnoozedUntil must be a date and time with its offset, such as 2027-01-31T08:00:00Z, not 't"),
    ({"SnoozedUntil": "2026-12-01T08:00:00"}, "SnoozedUntil must be a date and time with its offset, such as 2027-01-31T08:00:"),
    ({"SnoozedUntil": 7}, "SnoozedUntil must be a date and time with its offset, such as 2027-01-31T08:00:00Z, not 7."),
    ({"Cooldown": 600}, "Cooldown must be Seconds and, if wanted, PerSource, not 600."),
    ({"Cooldown": {}}, f"Cooldown: Seconds is missing; it must be {WHOLE} 0 to 31622400."),
    ({"Cooldown": {"Seconds": -1}}, f"Cooldown: Seconds must be {WHOLE} 0 to 31622400, not -1."),
    ({"Cooldown": {"Seconds": 1, "PerSource": 1}}, "Cooldown: PerSource must be true or false, not 1."),
    ({"BypassQuietHours": True}, "BypassQuietHours must be false, or Severity must be critical: only critical rules may bypass."),
    ({**CRITICAL, "BypassQuietHours": "no"}, "BypassQuietHours must be true or false, not 'no'."),
    ({"Channels": []}, "Channels must be a list with 1 to 10 entries, each the id of a channel, such as email, not []."),
    ({"Channels": ["E-Mail"]}, "Channels must be a list with 1 to 10 entries, each the id of a channel, such as email, not ["),
    ({"CreatedAt": ""}, "CreatedAt must be a date and time with its offset, such as 2027-01-31T08:00:00Z, not ''."),
    ({"Severty": "info"}, "'Severty' is not a field of it. Did you mean Severity?"),
    ({"Colour": "red"}, "'Colour' is not a field of it. Its fields are RuleId, Name, Version, "),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message[:70] for _, message in REFUSED])
def test_what_is_wrong_with_a_rule_is_named_with_what_to_do(changes: Record, message: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        Rule.from_item({**RECORD, **changes})
    assert str(refused.value).startswith(f"Rule r1: {message}")
    assert str(refused.value).endswith((".", "?"))


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message[:70] for _, message in REFUSED])
def test_the_schema_refuses_the_same(changes: Record, message: str) -> None:
    assert not SCHEMA.is_valid({**RECORD, **changes})


@pytest.mark.parametrize("rule_id", ["", None, 7, "Person", "-a", "a_b", "a b", "ä", "a" * 65, "a\n", "a#b"])
def test_an_id_that_is_not_a_slug_is_refused(rule_id: Any) -> None:
    with pytest.raises(
        InvalidRule, match=r"^A rule: RuleId must be 1 to 64 small letters, digits and hyphens, such as .+, not .+"
    ):
        Rule.from_item({**RECORD, "RuleId": rule_id})
    assert not SCHEMA.is_valid({**RECORD, "RuleId": rule_id}) or rule_id == "a\n"


def test_all_problems_are_reported_in_a_short_message() -> None:
    with pytest.raises(InvalidRule) as raised:
        Rule.from_item(
            {"RuleId": "A b", "Name": 7, "Severity": "loud", "Channels": "x", "AnyOf": [{"Term": "cat", "In": "x"}] * 9}
        )
    assert len(raised.value.problems) == 13
    assert str(raised.value).startswith("A rule: RuleId must be 1 to 64 small letters")
    assert str(raised.value).endswith("And 8 more mistakes.")


def test_a_consequence_of_another_mistake_is_not_reported() -> None:
    for changes in (
        {"AnyOf": ["cat"]},
        {"AnyOf": 7},
        {"Severity": "loud", "BypassQuietHours": True},
        {"Cooldown": {"Secnds": 3}},
    ):
        with pytest.raises(InvalidRule) as raised:
            Rule.from_item({**RECORD, **changes})
        assert len(raised.value.problems) == 1
    with pytest.raises(InvalidRule, match=r"^Rule a: 'AnyOff' is not a field of it. Did you mean AnyOf\?$"):
        Rule.from_item({"RuleId": "a", "Name": "A", "AnyOff": []})


@pytest.mark.parametrize("missing", ["RuleId", "Name", "AnyOf"])
def test_a_missing_field_of_a_rule_is_named(missing: str) -> None:
    record = {name: value for name, value in RECORD.items() if name != missing}
    with pytest.raises(InvalidRule, match=rf"\b{missing}\b.* must be .+\.$"):
        Rule.from_item(record)
    assert not SCHEMA.is_valid(record)


@pytest.mark.parametrize("record", [None, [], "rule", 7])
def test_what_is_no_record_is_refused(record: Any) -> None:
    with pytest.raises(InvalidRule, match=r"^A rule must be a mapping of fields to values, not "):
        Rule.from_item(record)


def test_only_what_the_schema_cannot_see_is_refused_by_the_code_alone() -> None:
    for changes in ({"AnyOf": [{"Term": " -_! "}]}, {"ActiveHours": {**FULL["ActiveHours"], "TimeZone": "Mars/Olympus"}}):
        assert SCHEMA.is_valid({**RECORD, **changes})
        with pytest.raises(InvalidRule):
            Rule.from_item({**RECORD, **changes})
    with pytest.raises(InvalidRule, match="MinConfidence must be a number from 0 to 100, not nan"):
        Rule.from_item({**RECORD, "AnyOf": [{"Term": "Car", "MinConfidence": float("nan")}]})


JUNK = (
    st.none() | st.booleans() | st.integers(-2, 200) | st.floats(-1, 200) | st.sampled_from(["", "x", "text", "critical", "a/b"])
)
PATHS: list[tuple[Any, ...]] = [
    *((name,) for name in FULL),
    *(("AnyOf", 0, name) for name in FULL["AnyOf"][0]),
    *(("Cooldown", name) for name in FULL["Cooldown"]),
    *(("ActiveHours", "Windows", 0, name) for name in ("Days", "From", "To")),
]


@given(st.lists(st.tuples(st.sampled_from(PATHS), JUNK | JUNK.map(lambda value: [value]), st.booleans()), max_size=3))
def test_code_and_schema_judge_alike(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    record = deepcopy(FULL)
    for path, value, drop in changes:
        inner: Any = record
        for step in path[:-1]:
            inner = inner.get(step) if isinstance(inner, dict) else inner[0] if isinstance(inner, list) and inner else None
        if isinstance(inner, dict) and drop:
            inner.pop(path[-1], None)
        elif isinstance(inner, dict):
            inner[path[-1]] = value
    try:
        read = Rule.from_item(record)
    except InvalidRule:
        assert not SCHEMA.is_valid(record)
    else:
        assert SCHEMA.is_valid(record), next(SCHEMA.iter_errors(record)).message
        assert Rule.from_item(read.to_item()) == read


# --------------------------------------------------------------------------------------------------------- did you mean


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Persn", "Person"),
        ("persons", "Person"),
        ("bycicle", "Bicycle"),
        ("licence plate", "License Plate"),
        ("cars", "Car"),
        ("Wheapons", "Weapons"),
        ("QRCode", "QR Code"),
    ],
)
def test_a_name_that_nothing_has_gets_a_suggestion(written: str, meant: str) -> None:
    assert meant in suggestions(written)


@pytest.mark.parametrize("name", ["person", "QR code", "plate", "Mobile phone", "weapons and military", "violence"])
def test_a_known_name_needs_no_suggestion(name: str) -> None:
    assert suggestions(name) == []


def test_names_that_were_seen_here_count_too() -> None:
    assert "Zeppelin" not in suggestions("zeppelinn")
    assert suggestions("zeppelinn", ["Zeppelin"])[0] == "Zeppelin"
    assert suggestions("zeppelin", ["Zeppelin"]) == []


def test_at_most_three_are_suggested_and_none_for_something_quite_different() -> None:
    assert len(suggestions("bal")) <= 3
    assert suggestions("xyzzy") == []


def test_the_built_in_names_are_different_and_can_be_asked_for() -> None:
    assert len(set(common_labels())) == len(common_labels()) > 500
    assert all(words_of(name) and name == name.strip() for name in known_names())
