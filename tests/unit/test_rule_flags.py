"""Rules by flags: what `add` makes of them, and what `edit` changes."""

from __future__ import annotations

import argparse

import pytest

from imagewatch.rules import Cooldown, Rule, Term
from uploader.errors import UsageError
from uploader.rule_flags import add_flags, changed_by, has_flags, rule_from, term_in


def parsed(*arguments: str, changes: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("rule")
    parser.add_argument("--id")
    add_flags(parser, changes=changes)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("Person:90", {"Term": "Person", "MinConfidence": 90.0}),
        ("Person", {"Term": "Person"}),
        ("12:30", {"Term": "12", "MinConfidence": 30.0}),
        ("a:b", {"Term": "a:b"}),
        ("a:b:7.5", {"Term": "a:b", "MinConfidence": 7.5}),
        ("Person:", {"Term": "Person:"}),
    ],
)
def test_what_follows_the_last_colon_is_a_confidence_if_it_is_a_number(text: str, term: dict[str, object]) -> None:
    assert term_in(text) == term


def test_a_rule_is_made_of_a_name_and_flags() -> None:
    args = parsed(
        "Person at the gate", "--any", "Person:90", "--any", "Dog", "--all", "Gate", "--none", "Car:50", "--source", "front-door",
        "--key-prefix", "yard/", "--severity", "critical", "--channel", "email", "--channel", "ops", "--cooldown", "10m",
        "--per-source",
    )  # fmt: skip
    assert has_flags(args)
    assert rule_from(args) == Rule(
        "person-at-the-gate", "Person at the gate", (Term("Person", 90.0), Term("Dog")), (Term("Gate"),), (Term("Car", 50.0),),
        severity="critical", sources=("front-door",), key_prefixes=("yard/",), cooldown=Cooldown(600, True),
        channels=("email", "ops"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Gate", "--any", "Person:190"), "MinConfidence must be a number from 0 to 100"),
        (("Gate", "--none", "Person"), "AnyOf must be a list with at least one entry"),
        (("Gate", "--any", "Person", "--channel", "Not An Id"), "Channels must be"),
        (("Gate", "--any", "Person", "--per-source"), "--per-source says how a cooldown is kept, so it needs --cooldown"),
        (("Gate", "--any", "Person", "--id", "Not An Id"), "RuleId must be"),
        (("猫", "--any", "Cat"), "give one with --id"),
    ],
)
def test_flags_that_make_no_rule_say_what_is_wrong(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rule_from(parsed(*arguments))


@pytest.mark.parametrize("value", ["10", "1h30m", "-5m", "m", "0m", "100000s"])
def test_a_cooldown_is_a_length_of_time(value: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="no length of time"):
        parsed("Gate", "--any", "Person", f"--cooldown={value}")


RULE = Rule(
    "gate", "Gate", (Term("Person", 80.0), Term("Dog", 70.0)), none_of=(Term("person", 60.0),), cooldown=Cooldown(600, True)
)


def test_a_confidence_is_changed_wherever_the_term_is_and_nothing_else() -> None:
    changed = changed_by(parsed("gate", "--min-confidence", "PERSON:90", changes=True), RULE)
    assert changed.any_of == (Term("Person", 90.0), Term("Dog", 70.0))
    assert changed.none_of == (Term("person", 90.0),)
    assert (changed.name, changed.cooldown) == (RULE.name, RULE.cooldown)


def test_a_list_takes_the_place_of_the_one_that_was_there() -> None:
    changed = changed_by(parsed("gate", "--any", "Cat", "--name", "Cats", changes=True), RULE)
    assert (changed.name, changed.any_of, changed.none_of) == ("Cats", (Term("Cat"),), RULE.none_of)


def test_a_cooldown_keeps_what_is_not_said_of_it() -> None:
    assert changed_by(parsed("gate", "--cooldown", "1h", changes=True), RULE).cooldown == Cooldown(3600, True)
    assert changed_by(parsed("gate", "--no-per-source", changes=True), RULE).cooldown == Cooldown(600, False)
    assert changed_by(parsed("gate", "--cooldown", "0", changes=True), RULE).cooldown.seconds == 0


def test_a_term_that_the_rule_does_not_have_is_no_silent_change() -> None:
    with pytest.raises(UsageError, match="the rule has no term 'Cat'; it has Person, Dog, person"):
        changed_by(parsed("gate", "--min-confidence", "Cat:90", changes=True), RULE)
    with pytest.raises(argparse.ArgumentError, match="no term with a confidence"):
        parsed("gate", "--min-confidence", "Cat", changes=True)
