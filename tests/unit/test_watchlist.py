"""The watchlist's rules: what matches, what doesn't, and that no detail of writing or order changes the verdict."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.errors import InvalidRule, TooManyMatches
from imagewatch.watchlist import MAX_MATCHES, MAX_VERDICT_BYTES, Rule, Term, evaluate, within_a_state, words_of

Label = dict[str, Any]

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


def rule(*terms: str | tuple[str, float], enabled: bool = True) -> Rule:
    pairs = [(term, 50.0) if isinstance(term, str) else term for term in terms]
    return Rule("r1", "Rule", tuple(Term(*pair) for pair in pairs), enabled)


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


def test_the_closest_kin_is_named_when_several_terms_match() -> None:
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


def test_two_different_things_are_two_matches_the_surest_first() -> None:
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
    after = labels_matched(Rule(one.rule_id, one.name, (*one.terms, Term(*added))), findings)
    # What matched still does, itself or through something more specific that the new term has found.
    assert all(any(covers(specific, general) for specific in after) for general in before)


@given(RULES, FINDINGS, st.data())
def test_the_order_of_terms_and_labels_does_not_matter(one: Rule, findings: dict[str, Any], data: st.DataObject) -> None:
    shuffled = Rule(one.rule_id, one.name, tuple(data.draw(st.permutations(one.terms))))
    other = found(
        *data.draw(st.permutations(findings["Labels"])), moderation=data.draw(st.permutations(findings["Moderation"]["Labels"]))
    )
    facts = [
        [(m["Label"], m["Confidence"], m["Kind"], m["Count"]) for m in matches(*pair)]
        for pair in ((one, findings), (shuffled, other))
    ]
    assert facts[0] == facts[1]


@given(RULES, FINDINGS, st.floats(0, 100))
def test_raising_the_confidence_never_adds_a_match(one: Rule, findings: dict[str, Any], more: float) -> None:
    before = labels_matched(one, findings)
    stricter = Rule(one.rule_id, one.name, tuple(Term(term.text, min(100.0, term.min_confidence + more)) for term in one.terms))
    # What matches the stricter rule has matched before, itself or spoken for by something more specific.
    assert all(any(covers(specific, general) for specific in before) for general in labels_matched(stricter, findings))


@given(RULES, FINDINGS)
def test_no_match_speaks_for_another(one: Rule, findings: dict[str, Any]) -> None:
    found_labels = labels_matched(one, findings)
    assert not any(covers(a, b) for a in found_labels for b in found_labels if a != b)


@given(RULES, FINDINGS)
def test_every_match_is_as_sure_as_its_term_asks(one: Rule, findings: dict[str, Any]) -> None:
    for match in matches(one, findings):
        assert any(term.text == match["Term"] and match["Confidence"] >= term.min_confidence for term in one.terms)


@given(RULES, FINDINGS, FINDINGS)
def test_one_rule_does_not_change_anothers_verdict(one: Rule, findings: dict[str, Any], _: dict[str, Any]) -> None:
    others = [Rule("r0", "Before", (Term("car", 0.0),)), one, Rule("r2", "After", (Term("animal", 0.0),))]
    assert [entry for entry in evaluate(others, findings) if entry["RuleId"] == "r1"] == evaluate([one], findings)


RECORD = {"RuleId": "r1", "Name": " Night watch ", "Terms": [{"Term": "Car", "MinConfidence": 80}]}


def test_a_rule_is_read_from_its_record() -> None:
    assert Rule.from_record(RECORD) == Rule("r1", "Night watch", (Term("Car", 80.0),), enabled=True)
    assert Rule.from_record(RECORD | {"Enabled": False}).enabled is False


@pytest.mark.parametrize("confidence", [0, 100, 0.0, 55.5])
def test_every_confidence_from_0_to_100_is_valid(confidence: float) -> None:
    record = RECORD | {"Terms": [{"Term": "Car", "MinConfidence": confidence}]}
    assert Rule.from_record(record).terms[0].min_confidence == confidence


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"RuleId": ""}, "RuleId"),
        ({"RuleId": None}, "RuleId"),
        ({"RuleId": 7}, "RuleId"),
        ({"Name": ""}, "Name"),
        ({"Name": "  "}, "Name"),
        ({"Name": None}, "Name"),
        ({"Name": 7}, "Name"),
        ({"Enabled": "yes"}, "Enabled"),
        ({"Enabled": 1}, "Enabled"),
        ({"Enabled": None}, "Enabled"),
        ({"Terms": []}, "Terms"),
        ({"Terms": None}, "Terms"),
        ({"Terms": "Car"}, "Terms"),
        ({"Terms": {"Term": "Car"}}, "Terms"),
    ],
)
def test_an_invalid_field_of_a_rule_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRule, match=rf"\b{named}\b.* must be .+\.$"):
        Rule.from_record(RECORD | change)


@pytest.mark.parametrize("field", ["RuleId", "Name", "Terms"])
def test_a_missing_field_of_a_rule_is_named(field: str) -> None:
    with pytest.raises(InvalidRule, match=rf"\b{field}\b"):
        Rule.from_record({name: value for name, value in RECORD.items() if name != field})


@pytest.mark.parametrize(
    ("term", "named"),
    [
        ("Car", "Terms, entry 2: must have Term and MinConfidence"),
        ({}, "Terms, entry 2: Term must"),
        ({"Term": "", "MinConfidence": 50}, "Terms, entry 2: Term must"),
        ({"Term": " -_! ", "MinConfidence": 50}, "Terms, entry 2: Term must"),
        ({"Term": 7, "MinConfidence": 50}, "Terms, entry 2: Term must"),
        ({"Term": "Car"}, r"Terms, entry 2 \(Car\): MinConfidence must"),
        ({"Term": "Car", "MinConfidence": "80"}, r"Terms, entry 2 \(Car\): MinConfidence must"),
        ({"Term": "Car", "MinConfidence": True}, r"Terms, entry 2 \(Car\): MinConfidence must"),
        ({"Term": "Car", "MinConfidence": -0.1}, r"Terms, entry 2 \(Car\): MinConfidence must"),
        ({"Term": "Car", "MinConfidence": 100.1}, r"Terms, entry 2 \(Car\): MinConfidence must"),
        ({"Term": "Car", "MinConfidence": float("nan")}, r"Terms, entry 2 \(Car\): MinConfidence must"),
        ({"Term": "Car", "MinConfidence": None}, r"Terms, entry 2 \(Car\): MinConfidence must"),
    ],
    ids=str,
)
def test_an_invalid_term_is_named_by_rule_and_place(term: Any, named: str) -> None:
    with pytest.raises(InvalidRule, match=f"^Rule r1: {named}"):
        Rule.from_record(RECORD | {"Terms": [*RECORD["Terms"], term]})


@given(st.text(max_size=30))
def test_words_do_not_depend_on_case_or_on_how_accents_are_typed(text: str) -> None:
    text = unicodedata.normalize("NFC", text.casefold())
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(text)


def test_a_term_that_everything_matches_names_the_surest_and_counts_the_rest() -> None:
    findings = found(*(label(f"Thing {n}", 50 + n / 4) for n in range(100)))
    (entry,) = evaluate([rule("thing")], findings)
    assert [match["Label"] for match in entry["Matches"][:2]] == ["Thing 99", "Thing 98"]
    assert (len(entry["Matches"]), entry["MoreMatches"]) == (MAX_MATCHES, 100 - MAX_MATCHES)


def verdict(rules: int) -> list[dict[str, Any]]:
    findings = found(*(label(f"Thing {n}") for n in range(30)))
    return evaluate([Rule(f"rule-{n}", f"Rule {n}", (Term("thing", 50),)) for n in range(rules)], findings)


def test_a_verdict_that_fits_into_a_state_is_left_as_it_is() -> None:
    assert within_a_state(verdict(3)) == verdict(3)


def test_of_very_many_rules_each_keeps_its_surest_match_and_none_is_lost() -> None:
    fitted = within_a_state(verdict(300))
    assert len(json.dumps(fitted)) <= MAX_VERDICT_BYTES
    assert [entry["RuleId"] for entry in fitted] == [entry["RuleId"] for entry in verdict(300)]
    assert {(len(entry["Matches"]), entry["MoreMatches"]) for entry in fitted} == {(1, 29)}


def test_more_rules_than_a_state_can_carry_are_refused_and_not_cut() -> None:
    with pytest.raises(TooManyMatches, match="5000 rules match this image"):
        within_a_state(verdict(5000))
