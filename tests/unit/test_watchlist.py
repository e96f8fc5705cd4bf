"""The watchlist's rules: what matches, what doesn't, and that no detail of writing or order changes the verdict."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.images.version import ImageVersion, normal_source, source_of
from imagewatch.rules.matched_rule import Cooldown, MatchedRule
from imagewatch.rules.matching import MAX_MATCHES, MAX_VERDICT_BYTES, Watchlist, truncate_to_state_limit
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.schedule import ActiveHours, ActiveWindow
from imagewatch.text import words_of
from uploader.upload.keys import source_name

Label = dict[str, Any]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday

# A taxonomy in the small: name -> ancestors, nearest first.
ANCESTORS = {
    "Transportation": [],
    "Vehicle": ["Transportation"],
    "Car": ["Vehicle", "Transportation"],
    "Sports Car": ["Car", "Vehicle", "Transportation"],
    "Carpet": [],
    "Mobile Phone": ["Phone", "Electronics"],
    "Phone": ["Electronics"],
    "Electronics": [],
    "Dog": ["Pet", "Animal"],
    "Pet": ["Animal"],
    "Animal": [],
}
ALIASES = {"Mobile Phone": ["Cell Phone"], "Car": ["Automobile"]}
CATEGORIES = {"Car": ["Vehicles and Automotive"], "Dog": ["Animals and Pets"], "Pet": ["Animals and Pets"]}
MODERATION = {"Violence": [], "Weapons": ["Violence"], "Weapon Violence": ["Weapons", "Violence"], "Alcohol": []}


def label(name: str, confidence: float = 90.0, instances: int = 0) -> Label:
    return {
        "Name": name,
        "Confidence": confidence,
        "Parents": ANCESTORS.get(name, []),
        "Aliases": ALIASES.get(name, []),
        "Categories": CATEGORIES.get(name, []),
        "Instances": [{}] * instances,
    }


def unsafe(name: str, confidence: float = 90.0, parents: list[str] | None = None) -> Label:
    return {"Name": name, "Confidence": confidence, "Parents": MODERATION[name] if parents is None else parents}


def found(*labels: Label, moderation: list[Label] | None = None) -> dict[str, Any]:
    return {"Labels": list(labels), "Moderation": {"Labels": moderation or []}}


def image(key: str = "uploads/gate/night/a.jpg", uploaded_at: str = "2026-11-20T11:59:00.000Z") -> ImageVersion:
    return ImageVersion("images", key, "v1", "etag", "00", 1, uploaded_at)


def evaluate(rules: Iterable[Rule], findings: dict[str, Any], of: ImageVersion | None = None) -> list[dict[str, Any]]:
    return [one.to_item() for one in Watchlist(rules).evaluate(of or image(), findings, NOW)]


def rule(*terms: str | tuple[str, float], enabled: bool = True) -> Rule:
    pairs = [(term, 50.0) if isinstance(term, str) else term for term in terms]
    return Rule("r1", "Rule", tuple(Term(*pair) for pair in pairs), enabled=enabled)


def matches(one: Rule, findings: dict[str, Any]) -> list[dict[str, Any]]:
    verdict = evaluate([one], findings)
    return verdict[0]["Matches"] if verdict else []


def labels_matched(one: Rule, findings: dict[str, Any]) -> list[str]:
    return [match["Label"] for match in matches(one, findings)]


@pytest.mark.parametrize(
    ("term", "name", "hit"),
    [
        ("car", "Car", True),
        ("car", "Sports Car", True),
        ("car", "Carpet", False),
        ("car", "Scar", False),
        ("sports car", "Car", False),
        ("SPORTS   CAR", "Sports Car", True),
        ("sports-car", "Sports Car", True),
        ("sports_car", "Sports Car", True),
        ("car sports", "Sports Car", False),
        ("Sports Vehicle", "Sports Big Vehicle", False),
        ("t-shirt", "T-Shirt", True),
        ("t shirt", "T-Shirt", True),
        ("shirt", "T-Shirt", True),
        ("tshirt", "T-Shirt", False),
        ("driver's license", "Driver's License", True),
        ("STRASSE", "Straße", True),
        ("piñata", unicodedata.normalize("NFD", "Piñata"), True),
        (unicodedata.normalize("NFD", "piñata"), "Piñata", True),
        ("pinata", "Piñata", False),
        ("3d", "3D Printer", True),
    ],
)
def test_whole_words_match_in_any_case_and_punctuation(term: str, name: str, hit: bool) -> None:
    assert bool(evaluate([rule(term)], found(label(name)))) is hit


@pytest.mark.parametrize(
    ("term", "label_found", "kind"),
    [
        ("mobile phone", "Mobile Phone", "name"),
        ("cell phone", "Mobile Phone", "alias"),
        ("electronics", "Mobile Phone", "parent"),
        ("animals and pets", "Dog", "category"),
        ("automobile", "Car", "alias"),
        ("phone", "Mobile Phone", "name"),
    ],
)
def test_a_label_matches_by_every_name_it_answers_to(term: str, label_found: str, kind: str) -> None:
    [match] = matches(rule(term), found(label(label_found, 97.25, instances=3)))
    assert match == {"Term": term, "Label": label_found, "Kind": kind, "Confidence": 97.25, "Count": 3}


def test_a_label_without_instances_counts_as_one() -> None:
    assert matches(rule("dog"), found(label("Dog")))[0]["Count"] == 1


def test_the_closest_kind_is_named_when_several_terms_match() -> None:
    for terms in (("electronics", "cell phone", "mobile phone"), ("mobile phone", "cell phone", "electronics")):
        [match] = matches(rule(*terms), found(label("Mobile Phone")))
        assert (match["Term"], match["Kind"]) == ("mobile phone", "name")


def test_a_moderation_label_matches_like_a_label() -> None:
    [match] = matches(rule("alcohol"), found(moderation=[unsafe("Alcohol", 66.5)]))
    assert match == {"Term": "alcohol", "Label": "Alcohol", "Kind": "moderation", "Confidence": 66.5, "Count": 1}


def test_an_unknown_child_is_judged_by_its_moderation_parents() -> None:
    child = unsafe("Invented Tomorrow", parents=["Weapons", "Violence"])
    assert labels_matched(rule("violence"), found(moderation=[child])) == ["Invented Tomorrow"]
    assert labels_matched(rule("weapons"), found(moderation=[child])) == ["Invented Tomorrow"]
    assert labels_matched(rule("alcohol"), found(moderation=[child])) == []


def test_ancestors_collapse_into_the_most_specific_label() -> None:
    chain = [label(name) for name in ("Transportation", "Vehicle", "Car", "Sports Car")]
    assert labels_matched(rule("transportation"), found(*chain)) == ["Sports Car"]
    assert labels_matched(rule("car", "vehicle"), found(*chain[:3])) == ["Car"]


def test_an_ancestor_stays_when_its_descendant_does_not_match() -> None:
    assert labels_matched(rule(("vehicle", 80)), found(label("Vehicle", 95), label("Car", 60))) == ["Vehicle"]


def test_two_different_things_are_two_matches_the_most_confident_first() -> None:
    findings = found(label("Dog", 70), label("Car", 80), label("Mobile Phone", 75), label("Carpet", 80))
    assert labels_matched(rule("dog", "car", "carpet"), findings) == ["Car", "Carpet", "Dog"]


def test_moderation_chains_collapse_too() -> None:
    chain = [unsafe("Violence"), unsafe("Weapons"), unsafe("Weapon Violence", 60)]
    assert labels_matched(rule("violence"), found(moderation=chain)) == ["Weapon Violence"]


def test_a_label_that_names_itself_as_parent_is_not_lost() -> None:
    assert labels_matched(rule("gambling"), found(moderation=[unsafe("Gambling", parents=["Gambling"])])) == ["Gambling"]


@pytest.mark.parametrize(("confidence", "hit"), [(79.99, False), (80, True), (80.01, True)])
def test_a_term_asks_for_its_confidence_and_not_a_hair_less(confidence: float, hit: bool) -> None:
    assert bool(evaluate([rule(("car", 80))], found(label("Car", confidence)))) is hit


def test_each_term_has_its_own_confidence() -> None:
    two = rule(("car", 99), ("dog", 50))
    assert labels_matched(two, found(label("Car", 98), label("Dog", 51))) == ["Dog"]


def test_a_disabled_rule_matches_nothing() -> None:
    assert evaluate([rule("car", enabled=False)], found(label("Car"))) == []


def test_nothing_found_matches_nothing() -> None:
    assert evaluate([rule("car")], found()) == []


def test_rules_answer_in_their_order_and_for_themselves() -> None:
    rules = [Rule(f"r{n}", f"Rule {n}", (Term(term, 50.0),)) for n, term in enumerate(("dog", "zebra", "car"))]
    verdict = evaluate(rules, found(label("Car"), label("Dog")))
    assert [(entry["RuleId"], entry["Name"]) for entry in verdict] == [("r0", "Rule 0"), ("r2", "Rule 2")]


TERMS = st.tuples(
    st.sampled_from([*ANCESTORS, *MODERATION, "cell phone", "automobile", "animals and pets", "sports", "CAR", "zebra"]),
    st.integers(0, 100).map(float),
)
RULES = st.lists(TERMS, min_size=1, max_size=6).map(lambda terms: rule(*terms))
CONFIDENCES = st.integers(0, 100).map(float)
FINDINGS = st.builds(
    lambda labels, moderation: found(*(label(*item) for item in labels), moderation=[unsafe(*item) for item in moderation]),
    st.lists(st.tuples(st.sampled_from(list(ANCESTORS)), CONFIDENCES), unique_by=lambda item: item[0], max_size=8),
    st.lists(st.tuples(st.sampled_from(list(MODERATION)), CONFIDENCES), unique_by=lambda item: item[0], max_size=4),
)


def covers(specific: str, general: str) -> bool:
    """Whether a match on `specific` speaks for one on `general`."""
    return specific == general or general in (ANCESTORS | MODERATION)[specific]


@given(RULES, FINDINGS, TERMS)
def test_adding_a_term_never_takes_a_match_away(one: Rule, findings: dict[str, Any], added: tuple[str, float]) -> None:
    before = labels_matched(one, findings)
    after = labels_matched(replace(one, any_of=(*one.any_of, Term(*added))), findings)
    # What matched still does, itself or through something more specific that the new term has found.
    assert all(any(covers(specific, general) for specific in after) for general in before)


@given(RULES, FINDINGS, st.data())
def test_the_order_of_terms_and_labels_does_not_matter(one: Rule, findings: dict[str, Any], data: st.DataObject) -> None:
    shuffled = replace(one, any_of=tuple(data.draw(st.permutations(one.any_of))))
    other = found(
        *data.draw(st.permutations(findings["Labels"])), moderation=data.draw(st.permutations(findings["Moderation"]["Labels"]))
    )
    assert matches(one, findings) == matches(shuffled, other)


@given(RULES, FINDINGS, st.floats(0, 100))
def test_raising_the_confidence_never_adds_a_match(one: Rule, findings: dict[str, Any], more: float) -> None:
    before = labels_matched(one, findings)
    stricter = replace(one, any_of=tuple(Term(term.text, min(100.0, term.min_confidence + more)) for term in one.any_of))
    # What matches the stricter rule has matched before, itself or spoken for by something more specific.
    assert all(any(covers(specific, general) for specific in before) for general in labels_matched(stricter, findings))


@given(RULES, FINDINGS)
def test_no_match_speaks_for_another(one: Rule, findings: dict[str, Any]) -> None:
    found_labels = labels_matched(one, findings)
    assert not any(covers(a, b) for a in found_labels for b in found_labels if a != b)


@given(RULES, FINDINGS)
def test_every_match_is_as_sure_as_its_term_asks(one: Rule, findings: dict[str, Any]) -> None:
    for match in matches(one, findings):
        assert any(term.text == match["Term"] and match["Confidence"] >= term.min_confidence for term in one.any_of)


@given(RULES, FINDINGS, FINDINGS)
def test_one_rule_does_not_change_anothers_verdict(one: Rule, findings: dict[str, Any], _: dict[str, Any]) -> None:
    others = [Rule("r0", "Before", (Term("car", 0.0),)), one, Rule("r2", "After", (Term("animal", 0.0),))]
    assert [entry for entry in evaluate(others, findings) if entry["RuleId"] == "r1"] == evaluate([one], findings)


@given(st.text(max_size=30))
def test_words_do_not_depend_on_case_or_on_how_accents_are_typed(text: str) -> None:
    text = unicodedata.normalize("NFC", text.casefold())
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(text)


# ------------------------------------------------------------------------------------------------- any of, all of, none of


def asks(**lists: str) -> Rule:
    return Rule("r1", "Rule", **{name: tuple(Term(text, 50.0) for text in terms.split()) for name, terms in lists.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "shown", "hit"),
    [
        (asks(all_of="dog car"), "Dog Car", True),
        (asks(all_of="dog car"), "Dog", False),
        (asks(all_of="dog", any_of="car carpet"), "Dog Carpet", True),
        (asks(all_of="dog", any_of="car carpet"), "Dog", False),
        (asks(all_of="dog", any_of="car carpet"), "Car", False),
        (asks(any_of="car", none_of="dog"), "Car", True),
        (asks(any_of="car", none_of="dog"), "Car Dog", False),
        (asks(any_of="car", none_of="animal"), "Car Dog", False),
        (asks(all_of="car", none_of="zebra carpet"), "Car Dog", True),
        (asks(any_of="car", none_of="dog zebra"), "Car Dog", False),
        (asks(any_of="car", none_of="zebra dog"), "Car Dog", False),
        (asks(none_of="dog zebra"), "Dog Car", False),
        (asks(none_of="dog zebra"), "Dog Zebra", False),
        (asks(none_of="dog zebra"), "Car", True),
        (asks(any_of="dog", all_of="dog"), "Dog", True),
    ],
    ids=str,
)
def test_any_of_all_of_and_none_of_hold_together(one: Rule, shown: str, hit: bool) -> None:
    assert bool(matches(one, found(*map(label, shown.split())))) is hit


def test_none_of_is_not_fulfilled_below_its_confidence() -> None:
    one = Rule("r1", "Rule", (Term("car", 50.0),), none_of=(Term("dog", 80.0),))
    assert matches(one, found(label("Car"), label("Dog", 79.99)))
    assert not matches(one, found(label("Car"), label("Dog", 80)))


def test_each_part_of_all_of_shows_what_fulfils_it_and_alternatives_only_the_most_specific() -> None:
    findings = found(label("Car", instances=1), {**label("Vehicle"), "Instances": [{}, {}]})
    two_vehicles = Term("vehicle", 50.0, min_instances=2)
    assert labels_matched(Rule("r1", "Rule", all_of=(two_vehicles, Term("car"))), findings) == ["Car", "Vehicle"]
    assert labels_matched(Rule("r1", "Rule", (two_vehicles, Term("car"))), findings) == ["Car"]


# --------------------------------------------------------------------------------------------------- where a term may match


@pytest.mark.parametrize(
    ("within", "text", "hit"),
    [
        ("label", "mobile phone", True),
        ("label", "cell phone", True),
        ("label", "electronics", False),
        ("parent", "electronics", True),
        ("parent", "mobile", False),
        ("category", "animals and pets", True),
        ("category", "dog", False),
        ("moderation", "violence", True),
        ("moderation", "dog", False),
        ("text", "gate", True),
        ("text", "dog", False),
        ("any", "gate", False),
        ("any", "violence", True),
    ],
)
def test_a_term_is_matched_only_against_the_names_that_it_asks_for(within: str, text: str, hit: bool) -> None:
    findings = found(label("Mobile Phone"), label("Dog"), moderation=[unsafe("Weapons")]) | {"Text": [written("GATE 7")]}
    assert bool(matches(Rule("r1", "Rule", (Term(text, 50.0, within),)), findings)) is hit


def written(text: str, confidence: float = 90.0, kind: str = "LINE", **box: float) -> Label:
    return {"Text": text, "Type": kind, "Confidence": confidence, "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.5, **box}}


def test_a_line_speaks_for_its_words() -> None:
    text = [written("Keep OUT!"), written("Keep", kind="WORD"), written("OUT!", 99, kind="WORD"), written("outlet", kind="WORD")]
    [match] = matches(Rule("r1", "Rule", (Term("out", 50.0, "text"),)), found() | {"Text": text})
    assert (match["Label"], match["Kind"], match["Count"], match["Box"]) == ("Keep OUT!", "text", 1, text[0]["BoundingBox"])


def test_a_word_stands_for_itself_when_its_line_is_not_sure_enough() -> None:
    text = [written("Keep OUT!", 70), written("OUT!", 95, kind="WORD")]
    one = Rule("r1", "Rule", (Term("out", 80.0, "text"),))
    assert labels_matched(one, found() | {"Text": text}) == ["OUT!"]


def test_text_that_was_not_read_matches_no_term() -> None:
    assert not matches(Rule("r1", "Rule", (Term("out", 0.0, "text"),)), found())


# --------------------------------------------------------------------------------------------------- how many, and how large


def boxes(*instances: tuple[float, float]) -> Label:
    """A dog at 90 with instances of (confidence, width); each is half as high as the image."""
    listed = [
        {"Confidence": confidence, "BoundingBox": {"Left": 0.0, "Top": 0.0, "Width": width, "Height": 0.5}}
        for confidence, width in instances
    ]
    return {**label("Dog", 90), "Instances": listed}


@pytest.mark.parametrize(
    ("term", "instances", "counted"),
    [
        (Term("dog", 80, min_instances=2), [(90, 0.1), (85, 0.1)], 2),
        (Term("dog", 80, min_instances=2), [(90, 0.1), (79, 0.1)], None),
        (Term("dog", 80, min_instances=2), [(90, 0.1)], None),
        (Term("dog", 80, min_instances=1), [], 1),
        (Term("dog", 80, min_instances=2), [], None),
        (Term("dog", 80, min_area=0.1), [(90, 0.2)], 1),
        (Term("dog", 80, min_area=0.1), [(90, 0.199)], None),
        (Term("dog", 80, min_area=0.1), [(79, 0.9), (90, 0.1)], None),
        (Term("dog", 80, min_area=0.1), [], None),
        (Term("dog", 80, min_area=0.1, min_instances=2), [(90, 0.3), (90, 0.1)], None),
        (Term("dog", 80, min_area=0.1, min_instances=2), [(90, 0.3), (90, 0.2), (90, 0.1)], 2),
        (Term("dog", 95, min_instances=1), [(99, 0.1)], None),
    ],
    ids=str,
)
def test_instances_count_when_they_are_sure_and_large_enough(
    term: Term, instances: list[tuple[float, float]], counted: int | None
) -> None:
    shown = matches(Rule("r1", "Rule", (term,)), found(boxes(*instances)))
    assert [match["Count"] for match in shown] == ([] if counted is None else [counted])


@pytest.mark.parametrize(("confidences", "counted"), [((99, 49.9, 5), 1), ((99, 50, 5), 2), ((40, 30), 1)])
def test_an_instance_that_is_less_likely_than_not_is_not_counted(confidences: tuple[float, ...], counted: int) -> None:
    shown = found(boxes(*((confidence, 0.1) for confidence in confidences)))
    [match] = matches(Rule("r1", "Rule", (Term("dog", 80),)), shown)
    assert match["Count"] == counted
    two = matches(Rule("r2", "Rule", (Term("dog", 20, min_instances=2),)), shown)
    assert bool(two) == (counted > 1)


def test_the_confidence_of_several_instances_is_that_of_the_last_one_needed() -> None:
    findings = found(boxes((60, 0.4), (99, 0.1), (85, 0.2)))
    [match] = matches(Rule("r1", "Rule", (Term("dog", 50, min_instances=2),)), findings)
    assert (match["Confidence"], match["Count"]) == (85, 3)
    assert matches(Rule("r1", "Rule", (Term("dog", 85, min_instances=2),)), findings)
    assert not matches(Rule("r1", "Rule", (Term("dog", 85.01, min_instances=2),)), findings)


def test_the_box_of_the_most_confident_instance_is_shown() -> None:
    findings = found(boxes((60, 0.4), (90, 0.2)))
    assert matches(rule("dog"), findings)[0]["Box"]["Width"] == 0.2
    assert "Box" not in matches(rule("dog"), found(label("Dog")))[0]


# -------------------------------------------------------------------------------------------------------- where and when


@pytest.mark.parametrize(
    ("scope", "key", "hit"),
    [
        ({"sources": ("gate",)}, "uploads/gate/a.jpg", True),
        ({"sources": ("gate",)}, "uploads/gate-2/a.jpg", False),
        ({"sources": ("yard", "gate")}, "uploads/gate/a.jpg", True),
        ({"sources": ("uploads",)}, "uploads/a.jpg", True),
        ({"key_prefixes": ("gate/night/",)}, "uploads/gate/night/a.jpg", True),
        ({"key_prefixes": ("gate/night/",)}, "uploads/gate/day/a.jpg", False),
        ({"key_prefixes": ("yard/", "ga")}, "uploads/gate/a.jpg", True),
        ({"sources": ("yard",), "key_prefixes": ("gate/night/",)}, "uploads/gate/night/a.jpg", True),
        ({"sources": ("yard",), "key_prefixes": ("gate/night/",)}, "uploads/yard/a.jpg", True),
        ({"sources": ("yard",), "key_prefixes": ("gate/night/",)}, "uploads/gate/a.jpg", False),
        ({}, "uploads/anything", True),
    ],
)
def test_a_rule_looks_at_its_sources_and_prefixes(scope: dict[str, Any], key: str, hit: bool) -> None:
    assert bool(evaluate([replace(rule("car"), **scope)], found(label("Car")), image(key))) is hit


def test_a_match_contains_what_its_alert_needs() -> None:
    one = replace(
        rule("car"),
        version=7,
        severity="critical",
        channels=("email", "slack"),
        cooldown=Cooldown(600, True),
        bypass_quiet_hours=True,
    )
    [entry] = evaluate([one], found(label("Car")))
    assert entry == {
        "RuleId": "r1",
        "Name": "Rule",
        "RuleVersion": 7,
        "Severity": "critical",
        "Channels": ["email", "slack"],
        "Cooldown": {"Seconds": 600, "PerSource": True},
        "BypassQuietHours": True,
        "Matches": [{"Term": "car", "Label": "Car", "Kind": "name", "Confidence": 90.0, "Count": 1}],
    }
    [plain] = evaluate([rule("car")], found(label("Car")))
    assert entry.keys() - plain.keys() == {"Cooldown", "BypassQuietHours"}
    assert (plain["Severity"], plain["Channels"], plain["RuleVersion"]) == ("warning", ["email"], 1)


def test_a_matched_rule_gets_the_definition_of_its_rule() -> None:
    one, other = replace(rule("car"), rule_id="one", version=7), replace(rule("car"), rule_id="other")
    watchlist = Watchlist([one, other])
    matched = watchlist.evaluate(image(), found(label("Car")), NOW)
    [defined] = [one.to_item() for one in watchlist.with_definitions(matched[1:])]
    assert defined == {**matched[1].to_item(), "Definition": other.to_item()}
    assert Rule.from_item(defined["Definition"]) == other
    assert "Definition" not in matched[1].to_item()


def test_definitions_of_very_many_rules_stay_within_the_state_limit() -> None:
    watchlist = Watchlist(replace(rule("car"), rule_id=f"rule-{number}") for number in range(300))
    matched = watchlist.with_definitions(watchlist.evaluate(image(), found(label("Car")), NOW))
    defined = [one.to_item() for one in matched]
    with_definition = ["Definition" in one for one in defined]
    assert len(defined) == 300
    assert with_definition == sorted(with_definition, reverse=True)
    assert 0 < sum(with_definition) < 300
    assert len(json.dumps(defined)) <= MAX_VERDICT_BYTES


WEEKEND = ActiveHours("UTC", (ActiveWindow(("sat", "sun"), 0, 0),))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"active_hours": WEEKEND}, "outside its active hours"),
        ({"active_hours": WEEKEND, "severity": "critical", "bypass_quiet_hours": True}, None),
        ({"snoozed_until": "2026-11-20T12:00:00.001Z"}, "snoozed until 2026-11-20T12:00:00.001Z"),
        ({"snoozed_until": "2026-11-20T12:00:00.000Z"}, None),
        ({"snoozed_until": "2027-01-01T00:00:00.000Z", "bypass_quiet_hours": True}, "snoozed until 2027-01-01T00:00:00.000Z"),
    ],
)
def test_a_muted_rule_matches_and_says_why_it_is_silent(changes: dict[str, Any], reason: str | None) -> None:
    [entry] = evaluate([replace(rule("car"), **changes)], found(label("Car")))
    assert entry.get("Muted") == reason


def test_active_hours_are_judged_by_when_the_image_was_uploaded() -> None:
    one = replace(rule("car"), active_hours=WEEKEND)
    [entry] = evaluate([one], found(label("Car")), image(uploaded_at="2026-11-21T00:00:00.000Z"))
    assert "Muted" not in entry


# -------------------------------------------------------------------------------------------------- the index and the loop

NAMES = [*ANCESTORS, *MODERATION, "cell phone", "automobile", "animals and pets", "sports", "zebra", "out", "keep out"]
ANY_TERM = st.builds(
    Term,
    st.sampled_from(NAMES),
    st.sampled_from([0.0, 40.0, 60.0, 80.0]),
    st.sampled_from(["any", "any", "label", "parent", "category", "moderation", "text"]),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from([0.0, 0.0, 0.1]),
)
TERM_LISTS = st.lists(ANY_TERM, max_size=3).map(tuple)
ANY_RULE = st.builds(
    Rule,
    rule_id=st.just("r"),
    name=st.just("Rule"),
    any_of=TERM_LISTS,
    all_of=st.lists(ANY_TERM, max_size=2).map(tuple),
    none_of=TERM_LISTS,
    enabled=st.sampled_from([True, True, True, False]),
    sources=st.sampled_from([(), (), ("gate",), ("yard",), ("yard", "gate")]),
    key_prefixes=st.sampled_from([(), (), ("gate/night/",), ("yard/",)]),
).filter(lambda one: one.any_of or one.all_of or one.sources or one.key_prefixes)
INSTANCES = st.lists(
    st.builds(
        lambda confidence, width: {"Confidence": confidence, "BoundingBox": {"Width": width, "Height": 0.5}},
        CONFIDENCES,
        st.sampled_from([0.1, 0.2, 0.3]),
    ),
    max_size=3,
)
ANY_FINDINGS = st.builds(
    lambda findings, instances, text: {
        **findings,
        "Labels": [{**one, "Instances": some} for one, some in zip(findings["Labels"], instances, strict=False)],
        "Text": text,
    },
    FINDINGS,
    st.lists(INSTANCES, min_size=8, max_size=8),
    st.lists(
        st.builds(written, st.sampled_from(["KEEP OUT", "Keep", "out", "Zebra"]), CONFIDENCES, Height=st.just(0.3)), max_size=3
    ),
)


def naive(rules: Iterable[Rule], findings: dict[str, Any], of: ImageVersion) -> dict[str, list[str]]:
    """Each rule against each name of each finding, without an index: {rule id: labels that match}."""
    sighted = [
        (one, [("name", one["Name"]), *(("alias", n) for n in one["Aliases"]), *(("parent", n) for n in one["Parents"]),
               *(("category", n) for n in one["Categories"])], one["Instances"])
        for one in findings["Labels"]
    ]  # fmt: skip
    sighted += [
        (one, [("moderation", n) for n in (one["Name"], *one["Parents"])], []) for one in findings["Moderation"]["Labels"]
    ]
    sighted += [({"Name": one["Text"], "Parents": [], **one}, [("text", one["Text"])], [one]) for one in findings["Text"]]

    def fits(term: Term, one: Label, instances: list[Label]) -> tuple[float, int] | None:
        if one["Confidence"] < term.min_confidence:
            return None
        if not term.min_instances and not term.min_area:
            return one["Confidence"], len(instances) or 1
        if not instances:
            return (one["Confidence"], 1) if term.min_instances == 1 and not term.min_area else None
        floor = max(term.min_confidence, 50.0)
        areas = [(i["Confidence"], i["BoundingBox"]["Width"] * i["BoundingBox"]["Height"]) for i in instances]
        sure = sorted((c for c, area in areas if c >= floor and area >= term.min_area - 1e-9), reverse=True)
        needed = max(term.min_instances, 1)
        return (min(one["Confidence"], sure[needed - 1]), len(sure)) if len(sure) >= needed else None

    def hits(term: Term) -> list[tuple[int, str, tuple[float, int]]]:
        allowed = {"any": ("name", "alias", "parent", "category", "moderation"), "label": ("name", "alias")}
        shown = []
        for number, (one, names, instances) in enumerate(sighted):
            wanted = f" {' '.join(words_of(term.text))} "
            kinds = [kind for kind, name in names if wanted in f" {' '.join(words_of(name))} "]
            kinds = [kind for kind in kinds if kind in allowed.get(term.within, (term.within,))]
            measure = fits(term, one, instances)
            if kinds and measure:
                shown.append((number, kinds[0], measure))
        return shown

    def specific(found_ones: list[tuple[int, str, tuple[float, int]]]) -> list[tuple[int, str, tuple[float, int]]]:
        above = {p for number, _, _ in found_ones for p in sighted[number][0]["Parents"] if p != sighted[number][0]["Name"]}
        return [hit for hit in found_ones if hit[1] == "text" or sighted[hit[0]][0]["Name"] not in above]

    verdict: dict[str, list[str]] = {}
    for one in rules:
        somewhere = not one.sources and not one.key_prefixes
        here = of.source in one.sources or any(of.key.startswith(f"uploads/{prefix}") for prefix in one.key_prefixes)
        groups = [[hit for term in one.any_of for hit in hits(term)], *map(hits, one.all_of)]
        fulfilled = all(groups[1:]) and (groups[0] or not one.any_of) and not any(map(hits, one.none_of))
        if one.enabled and (somewhere or here) and fulfilled:
            shown = {number: sighted[number][0]["Name"] for group in groups for number, _, _ in specific(group)}
            verdict[one.rule_id] = sorted(shown.values()) or ["New image"]
    return verdict


@given(st.lists(ANY_RULE, min_size=1, max_size=8), ANY_FINDINGS)
def test_the_index_finds_exactly_what_a_loop_over_everything_finds(rules: list[Rule], findings: dict[str, Any]) -> None:
    rules = [replace(one, rule_id=f"r{number}") for number, one in enumerate(rules)]
    indexed = {entry["RuleId"]: sorted(match["Label"] for match in entry["Matches"]) for entry in evaluate(rules, findings)}
    assert indexed == naive(rules, findings, image())
    assert list(indexed) == sorted(indexed)


@given(ANY_RULE.filter(lambda one: bool(one.any_of)), ANY_FINDINGS, ANY_TERM)
def test_one_more_alternative_never_silences_a_rule(one: Rule, findings: dict[str, Any], added: Term) -> None:
    if evaluate([one], findings):
        assert evaluate([replace(one, any_of=(*one.any_of, added))], findings)


@given(ANY_RULE, ANY_FINDINGS, ANY_TERM)
def test_one_more_demand_never_sets_a_rule_off(one: Rule, findings: dict[str, Any], added: Term) -> None:
    if not evaluate([one], findings):
        assert not evaluate([replace(one, all_of=(*one.all_of, added))], findings)
        assert not evaluate([replace(one, none_of=(*one.none_of, added))], findings)


@given(ANY_RULE, ANY_FINDINGS, st.sampled_from(["min_confidence", "min_instances", "min_area"]), st.floats(0, 100))
def test_a_stricter_term_never_sets_a_rule_off(one: Rule, findings: dict[str, Any], knob: str, more: float) -> None:
    def stricter(term: Term) -> Term:
        amount = {"min_confidence": more, "min_instances": int(more / 30), "min_area": more / 100}[knob]
        return replace(term, **{knob: getattr(term, knob) + amount})

    if evaluate([replace(one, any_of=tuple(map(stricter, one.any_of)), all_of=tuple(map(stricter, one.all_of)))], findings):
        assert evaluate([one], findings)


@given(ANY_RULE, ANY_FINDINGS, st.data())
def test_no_order_matters(one: Rule, findings: dict[str, Any], data: st.DataObject) -> None:
    shuffled = replace(
        one, **{name: tuple(data.draw(st.permutations(getattr(one, name)))) for name in ("any_of", "all_of", "none_of")}
    )
    other = {
        "Labels": data.draw(st.permutations(findings["Labels"])),
        "Moderation": {"Labels": data.draw(st.permutations(findings["Moderation"]["Labels"]))},
        "Text": findings["Text"],
    }
    assert evaluate([one], findings) == evaluate([shuffled], other)


@given(st.lists(ANY_RULE, min_size=1, max_size=6), ANY_FINDINGS, st.data())
def test_rules_do_not_change_each_others_verdict(rules: list[Rule], findings: dict[str, Any], data: st.DataObject) -> None:
    rules = [replace(one, rule_id=f"r{number}") for number, one in enumerate(rules)]
    together = evaluate(data.draw(st.permutations(rules)), findings)
    alone = [entry for one in rules for entry in evaluate([one], findings)]
    assert sorted(together, key=lambda entry: entry["RuleId"]) == alone


def test_a_term_that_everything_matches_names_the_most_confident_and_counts_the_rest() -> None:
    findings = found(*(label(f"Thing {n}", 50 + n / 4) for n in range(100)))
    (entry,) = evaluate([rule("thing")], findings)
    assert [match["Label"] for match in entry["Matches"][:2]] == ["Thing 99", "Thing 98"]
    assert (len(entry["Matches"]), entry["MoreMatches"]) == (MAX_MATCHES, 100 - MAX_MATCHES)


def matched(rules: int, **changes: Any) -> list[MatchedRule]:
    findings = found(*(label(f"Thing {n}") for n in range(30)))
    listed = [Rule(f"rule-{n}", f"Rule {n}", (Term("thing", 50),), **changes) for n in range(rules)]
    return Watchlist(listed).evaluate(image(), findings, NOW)


def size(rules: Iterable[MatchedRule]) -> int:
    return len(json.dumps([one.to_item() for one in rules]))


def test_matched_rules_that_fit_into_a_state_stay_as_they_are() -> None:
    assert truncate_to_state_limit(matched(3)) == (matched(3), 0)


def test_of_very_many_rules_each_keeps_its_match_of_highest_confidence() -> None:
    fitted, omitted = truncate_to_state_limit(matched(300))
    assert size(fitted) <= MAX_VERDICT_BYTES
    assert omitted == 0
    assert [one.rule_id for one in fitted] == [one.rule_id for one in matched(300)]
    assert {(len(one.matches), one.more_matches) for one in fitted} == {(1, 29)}


def test_of_more_rules_than_a_state_can_carry_those_that_fit_are_kept_and_the_others_are_counted() -> None:
    fitted, omitted = truncate_to_state_limit(matched(5000))
    assert MAX_VERDICT_BYTES - 1000 < size(fitted) <= MAX_VERDICT_BYTES
    assert len(fitted) + omitted == 5000
    assert [one.rule_id for one in fitted] == [one.rule_id for one in matched(len(fitted))]


def test_of_too_many_rules_those_that_may_alert_and_the_more_severe_ones_are_kept() -> None:
    muted = matched(300, snoozed_until="2026-11-21T00:00:00.000Z")
    plain = [replace(one, rule_id=f"plain-{at}") for at, one in enumerate(matched(400, severity="info"))]
    critical = [replace(one, rule_id=f"critical-{at}") for at, one in enumerate(matched(50, severity="critical"))]
    fitted, omitted = truncate_to_state_limit([*muted, *plain, *critical])
    ids = [one.rule_id.partition("-")[0] for one in fitted]
    assert ids == sorted(ids, key=["rule", "plain", "critical"].index)  # in their order
    assert ids.count("critical") == 50
    assert "rule" not in ids
    assert omitted == 750 - len(fitted)


# ------------------------------------------------------------------------------------------------- rules without any term


def test_a_rule_without_terms_matches_every_image_of_its_source() -> None:
    one = Rule("new", "New at the gate", sources=("gate",))
    [entry] = evaluate([one], found())
    assert entry["Matches"] == [{"Term": "New image", "Label": "New image", "Kind": "image", "Confidence": 100.0, "Count": 1}]
    assert evaluate([one], found(label("Car")), image("uploads/yard/a.jpg")) == []
    by_prefix = replace(one, sources=(), key_prefixes=("gate/night/",))
    assert evaluate([by_prefix], found())
    assert evaluate([by_prefix], found(), image("uploads/gate/day/a.jpg")) == []


def test_a_rule_without_terms_can_exclude_what_is_found() -> None:
    one = Rule("new", "No one at the gate", none_of=(Term("Dog", 50),), sources=("gate",))
    assert evaluate([one], found(label("Car")))
    assert evaluate([one], found(label("Dog"))) == []
    assert evaluate([one], found(label("Dog", 49)))


# --------------------------------------------------------------------------------------------------- instances of low confidence


def of_confidence(*confidences: float) -> list[Label]:
    return [{"Confidence": one, "BoundingBox": {"Width": 0.5, "Height": 0.5}} for one in confidences]


@pytest.mark.parametrize(
    ("confidences", "count"), [((99.8, 5.0, 12.5, 49.9), 1), ((99.8, 50.0), 2), ((5.0,), 1), ((), 1), ((80, 70, 60, 55, 51), 5)]
)
def test_instances_of_low_confidence_are_not_counted(confidences: tuple[float, ...], count: int) -> None:
    person = {**label("Car", 99.8), "Instances": of_confidence(*confidences)}
    [match] = matches(rule("car"), found(person))
    assert match["Count"] == count


def test_instances_of_low_confidence_do_not_fulfil_a_term() -> None:
    def counted(term: Term, *confidences: float) -> bool:
        return bool(evaluate([Rule("r", "R", (term,))], found({**label("Car", 99.8), "Instances": of_confidence(*confidences)})))

    several = Term("car", 0.0, min_instances=2)
    assert not counted(several, 99.8, 5.0, 12.5, 49.9)
    assert counted(several, 99.8, 50.0)
    assert not counted(Term("car", 10.0, min_area=0.1), 49.9)
    assert counted(Term("car", 10.0, min_area=0.1), 50.0)


# ------------------------------------------------------------------------------------------------------------ written and read


@given(st.lists(ANY_RULE, min_size=1, max_size=3), ANY_FINDINGS, st.sampled_from(["", "2026-12-01T00:00:00.000Z"]), st.booleans())
def test_a_matched_rule_that_is_written_and_read_is_the_same(
    rules: list[Rule], findings: dict[str, Any], snoozed_until: str, is_explained: bool
) -> None:
    listed = [
        replace(one, rule_id=f"r{at}", cooldown=Cooldown(at * 60, at == 1), snoozed_until=snoozed_until)
        for at, one in enumerate(rules)
    ]
    watchlist = Watchlist(listed)
    found_rules = watchlist.evaluate(image(), findings, NOW)
    for one in watchlist.with_definitions(found_rules) if is_explained else found_rules:
        assert MatchedRule.from_item(one.to_item()) == one
        assert MatchedRule.from_item(json.loads(json.dumps(one.to_item()))) == one


# ------------------------------------------------------------------------------------------- sources as uploads name them

SPELLINGS = ["Front Door", "front-door", "FRONT  DOOR", "front door", "Front Door!"]
CAFES = ["Café 2", unicodedata.normalize("NFD", "Café 2"), "CAFÉ-2", "café 2"]


@pytest.mark.parametrize("spellings", [SPELLINGS, CAFES])
def test_a_source_matches_however_rule_and_key_spell_it(spellings: list[str]) -> None:
    for written in spellings:
        one = Rule.from_item({"RuleId": "r", "Name": "R", "AnyOf": [{"Term": "Car"}], "Sources": [written]})
        assert one.sources == (source_name(written),)
        for folder in (*spellings, source_name(written)):
            assert evaluate([one], found(label("Car")), image(f"uploads/{folder}/a.jpg")), (written, folder)
        assert evaluate([one], found(label("Car")), image("uploads/back-door/a.jpg")) == []


@pytest.mark.parametrize("spellings", [SPELLINGS, CAFES])
def test_a_key_prefix_matches_however_rule_and_key_spell_the_source(spellings: list[str]) -> None:
    for written in spellings:
        one = Rule.from_item({"RuleId": "r", "Name": "R", "AnyOf": [{"Term": "Car"}], "KeyPrefixes": [f"{written}/Nächte/"]})
        for folder in spellings:
            night = unicodedata.normalize("NFD", "Nächte")
            assert evaluate([one], found(label("Car")), image(f"uploads/{folder}/{night}/a.jpg")), (written, folder)
            assert evaluate([one], found(label("Car")), image(f"uploads/{folder}/nächte/a.jpg")) == []


@given(st.text(min_size=1, max_size=20).filter(lambda name: "/" not in name))
def test_a_normalised_source_stays_as_it_is(name: str) -> None:
    assert normal_source(normal_source(name)) == normal_source(name) == source_of(f"uploads/{normal_source(name)}/a.jpg")
