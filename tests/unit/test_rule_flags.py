"""Rules by flags: what `add` makes of them, and what `edit` changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click
import pytest

from imagewatch.rules.matched_rule import Cooldown
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.schedule import ActiveHours, ActiveWindow
from uploader.commands.rule_options import rule_flags
from uploader.errors import UsageError
from uploader.rules.flags import RuleFlags, changed_by, rule_from, term_in


@dataclass(frozen=True)
class Parsed:
    name: str
    rule_id: str | None
    flags: RuleFlags


def parsed(*arguments: str, changes: bool = False) -> Parsed:
    @click.command()
    @click.argument("rule")
    @click.option("--id", "rule_id")
    @rule_flags(edits=changes)
    def command(rule: str, rule_id: str | None, flags: RuleFlags) -> Parsed:
        return Parsed(rule, rule_id, flags)

    result = command.main(list(arguments), standalone_mode=False)
    assert isinstance(result, Parsed)
    return result


def added(*arguments: str) -> Rule:
    given = parsed(*arguments)
    return rule_from(given.name, given.rule_id, given.flags)


def edited(rule: Rule, *arguments: str) -> Rule:
    return changed_by(parsed(rule.rule_id, *arguments, changes=True).flags, rule)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("Person:90", {"Term": "Person", "MinConfidence": 90.0}),
        ("Person", {"Term": "Person"}),
        ("12:30", {"Term": "12", "MinConfidence": 30.0}),
        ("a:b", {"Term": "a:b"}),
        ("a:b:7.5", {"Term": "a:b", "MinConfidence": 7.5}),
        ("Person:", {"Term": "Person:"}),
        ("moderation=Weapons:60", {"Term": "Weapons", "MinConfidence": 60.0, "In": "moderation"}),
        ("text=GATE 7", {"Term": "GATE 7", "In": "text"}),
        ("E=mc2", {"Term": "E=mc2"}),
        ("text=open: 16:30h:80", {"Term": "open: 16:30h", "MinConfidence": 80.0, "In": "text"}),
    ],
)
def test_a_term_may_name_its_place_and_its_confidence(text: str, term: dict[str, object]) -> None:
    assert term_in(text) == term


@pytest.mark.parametrize("text", ["Person:9O", "Person: 9O", "label=Person:90%", "Person:9,5", "a:b:7x"])
def test_what_begins_like_a_confidence_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="has no number after its colon, such as Person:90"):
        parsed("Gate", "--any", text)


def test_a_rule_is_made_of_a_name_and_flags() -> None:
    given = parsed(
        "Person at the gate", "--any", "Person:90", "--any", "Dog", "--all", "Gate", "--none", "Car:50", "--source", "front-door",
        "--key-prefix", "yard/", "--severity", "critical", "--channel", "email", "--channel", "ops", "--cooldown", "10m",
        "--per-source",
    )  # fmt: skip
    assert given.flags.any_given
    assert rule_from(given.name, given.rule_id, given.flags) == Rule(
        "person-at-the-gate", "Person at the gate", (Term("Person", 90.0), Term("Dog")), (Term("Gate"),), (Term("Car", 50.0),),
        severity="critical", sources=("front-door",), key_prefixes=("yard/",), cooldown=Cooldown(600, True),
        channels=("email", "ops"),
    )  # fmt: skip


EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-06:00", ActiveWindow(EVERY_DAY, 1320, 360)),
        ("mon-fri 08:00-18:30", ActiveWindow(EVERY_DAY[:5], 480, 1110)),
        ("Sat,Sun  00:00-00:00", ActiveWindow(EVERY_DAY[5:], 0, 0)),
        ("fri-mon,wed 07:05-08:00", ActiveWindow(("mon", "wed", "fri", "sat", "sun"), 425, 480)),
        ("sun 07:00-08:00", ActiveWindow(("sun",), 420, 480)),
    ],
)
def test_active_hours_are_windows_of_the_week(text: str, window: ActiveWindow) -> None:
    rule = added("Gate", "--any", "Person", "--active", text, "--time-zone", "Europe/Berlin")
    assert rule.active_hours == ActiveHours("Europe/Berlin", (window,))


@pytest.mark.parametrize(
    "text", ["", "22-", "mo 22:00-06:00", "mon-fri", "mon-fri 22:00", "-mon 08:00-09:00", "mon- 08:00-09:00"]
)
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no window of the week such as 22:00-06:00 or mon-fri 08:00-18:00"):
        parsed("Gate", "--any", "Person", f"--active={text}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Gate", "--any", "Person", "--active", "22:00-06:00"), "needs the time zone of its times: --time-zone"),
        (("Gate", "--any", "Person", "--time-zone", "Europe/Berlin"), "so it needs --active"),
        (("Gate", "--any", "Person", "--active", "always", "--active", "22:00-06:00"), "can't be combined"),
        (("Gate", "--any", "Person", "--active", "22:00-26:00", "--time-zone", "Europe/Berlin"), "To must be a time of day"),
        (("Gate", "--any", "Person", "--active", "22:00-06:00", "--time-zone", "Europe/Berln"), "Did you mean Europe/Berlin"),
        (("Gate", "--any", "Person", "--bypass-quiet-hours"), "only critical rules may bypass"),
        (("Gate", "--any", "text=Gate", "--any", "label=Person:101"), "entry 2 .Person.: MinConfidence must be"),
        (("Gate", "--any", "Person:190"), "MinConfidence must be a number from 0 to 100"),
        (("Gate", "--none", "Person"), "AnyOf must be a list with at least one entry"),
        (("Gate", "--any", "Person", "--channel", "Not An Id"), "Channels must be"),
        (("Gate", "--any", "Person", "--per-source"), "--per-source separates a cooldown by source, so it needs --cooldown"),
        (("Gate", "--any", "Person", "--id", "Not An Id"), "RuleId must be"),
        (("猫", "--any", "Cat"), "give one with --id"),
    ],
)
def test_flags_that_make_no_rule_say_what_is_wrong(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        added(*arguments)


@pytest.mark.parametrize("value", ["10", "1h30m", "-5m", "m", "0m", "100000s"])
def test_a_cooldown_is_a_length_of_time(value: str) -> None:
    with pytest.raises(click.BadParameter, match="no length of time"):
        parsed("Gate", "--any", "Person", f"--cooldown={value}")


RULE = Rule(
    "gate", "Gate", (Term("Person", 80.0), Term("Dog", 70.0)), none_of=(Term("person", 60.0),), cooldown=Cooldown(600, True)
)


def test_a_confidence_is_changed_wherever_the_term_is_and_nothing_else() -> None:
    changed = edited(RULE, "--min-confidence", "PERSON:90")
    assert changed.any_of == (Term("Person", 90.0), Term("Dog", 70.0))
    assert changed.none_of == (Term("person", 90.0),)
    assert (changed.name, changed.cooldown) == (RULE.name, RULE.cooldown)


def test_a_list_takes_the_place_of_the_one_that_was_there() -> None:
    changed = edited(RULE, "--any", "Cat", "--name", "Cats")
    assert (changed.name, changed.any_of, changed.none_of) == ("Cats", (Term("Cat"),), RULE.none_of)


def test_a_cooldown_keeps_what_is_not_said_of_it() -> None:
    assert edited(RULE, "--cooldown", "1h").cooldown == Cooldown(3600, True)
    assert edited(RULE, "--no-per-source").cooldown == Cooldown(600, False)
    assert edited(RULE, "--cooldown", "0").cooldown.seconds == 0


def test_active_hours_are_changed_moved_to_another_clock_and_ended() -> None:
    night = ActiveWindow(EVERY_DAY, 1320, 360)
    hours = replace(RULE, severity="critical", bypass_quiet_hours=True, active_hours=ActiveHours("Europe/Berlin", (night,)))
    weekend = edited(hours, "--active", "sat,sun 00:00-00:00")
    assert weekend.active_hours == ActiveHours("Europe/Berlin", (ActiveWindow(("sat", "sun"), 0, 0),))
    moved = edited(hours, "--time-zone", "America/Lima", "--no-bypass-quiet-hours")
    assert (moved.active_hours, moved.bypass_quiet_hours) == (ActiveHours("America/Lima", (night,)), False)
    assert edited(hours, "--active", "always").active_hours is None
    assert edited(hours, "--name", "Door").active_hours == hours.active_hours


def test_a_term_that_the_rule_does_not_have_is_no_silent_change() -> None:
    with pytest.raises(UsageError, match="the rule has no term 'Cat'; it has Person, Dog, person"):
        edited(RULE, "--min-confidence", "Cat:90")
    with pytest.raises(click.BadParameter, match="no term with a confidence"):
        parsed("gate", "--min-confidence", "Cat", changes=True)
