"""Rules in YAML: read as people mean them, refused with file, line, rule and field, and written so that they read the same."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from imagewatch.errors import InvalidRule, Problem
from imagewatch.images.version import normal_source
from imagewatch.rules.matched_rule import SEVERITIES
from imagewatch.rules.model import MAX_COOLDOWN, PLACES, Rule, Term
from imagewatch.rules.schedule import DAYS
from imagewatch.text import words_of
from uploader.errors import UsageError
from uploader.rules.files import MAX_PROBLEMS_SHOWN, document, is_file, read_files, read_one, read_text, slug_of, to_yaml
from uploader.rules.yaml_document import Document, value_of

ROOT = Path(__file__).parents[2]
RULE = """\
- Name: Person at the gate
  Severity: critical
  AnyOf:
    - {Term: person, MinConfidence: 85}
    - {Term: car}
"""


def rule(text: str) -> Rule:
    rules, problems = read_text(text, "rules.yaml")
    assert problems == []
    (written,) = rules
    return written.rule


def problems(text: str) -> list[str]:
    return read_text(text, "rules.yaml")[1]


# -------------------------------------------------------------------------------------------------------------- the forms


def test_a_rule_without_an_id_gets_one_made_of_its_name() -> None:
    found = rule(RULE)
    assert (found.rule_id, found.name, found.severity) == ("person-at-the-gate", "Person at the gate", "critical")
    assert found.any_of == (Term("person", 85.0), Term("car"))


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Person at the gate", "person-at-the-gate"),
        ("  Tür/Hof -- Nacht! ", "tur-hof-nacht"),
        ("x" * 80, "x" * 64),
        (f"{'x' * 63} y", "x" * 63),
        ("猫", ""),
    ],
)
def test_an_id_is_a_slug_of_the_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_one_rule_a_list_and_a_list_under_rules_are_the_same() -> None:
    alone = "Name: Cat\nAnyOf: [{Term: cat}]\n"
    listed = "- Name: Cat\n  AnyOf: [{Term: cat}]\n"
    under = "rules:\n  - Name: Cat\n    AnyOf: [{Term: cat}]\n"
    as_json = json.dumps([{"Name": "Cat", "AnyOf": [{"Term": "cat"}]}])
    assert rule(alone) == rule(listed) == rule(under) == rule(as_json)


def test_what_is_written_for_people_is_left_aside() -> None:
    found = rule("{Name: Cat, AnyOf: [{Term: cat}], Version: 7, CreatedAt: whenever, UpdatedAt: 3}")
    assert (found.version, found.created_at, found.updated_at) == (1, "", "")


def test_parts_can_be_shared_with_anchors() -> None:
    shared = "- &cat {RuleId: a, Name: A, AnyOf: &terms [{Term: cat}]}\n- {RuleId: b, Name: B, AnyOf: *terms}\n"
    (first, second), wrong = read_text(shared, "rules.yaml")
    assert wrong == []
    assert first.rule.any_of == second.rule.any_of


def test_the_fields_that_are_named_are_known() -> None:
    rules, _ = read_text("{Name: Cat, AnyOf: [{Term: cat}]}", "f")
    assert rules[0].fields == {"RuleId", "Name", "AnyOf"}


# ------------------------------------------------------------------------------------------------------- YAML's surprises


HOURS = "{TimeZone: Europe/Berlin, Windows: [{Days: [mon], From: %s, To: 06:00}]}"


@pytest.mark.parametrize("time", ["22:00", "'22:00'", '"22:00"'])
def test_a_time_is_a_time_with_and_without_quotes(time: str) -> None:
    found = rule(f"{{Name: Night, AnyOf: [{{Term: cat}}], ActiveHours: {HOURS % time}}}")
    assert found.active_hours
    assert found.active_hours.windows[0].to_item() == {"Days": ["mon"], "From": "22:00", "To": "06:00"}


@pytest.mark.parametrize("word", ["no", "off", "on", "yes", "22:30", "1_000", "0x1F", "2027-01-31", "1:20:30", "0b1"])
def test_a_word_is_a_word(word: str) -> None:
    found = rule(f"{{Name: {word}, AnyOf: [{{Term: {word}}}], Sources: [{word}]}}")
    assert (found.name, found.any_of[0].text, found.sources) == (word, word, (normal_source(word),))
    assert rule(to_yaml([found])) == found


def test_a_number_that_begins_with_zero_is_no_octal() -> None:
    assert rule("{Name: A, AnyOf: [{Term: cat, MinConfidence: 010}]}").any_of[0].min_confidence == 10


def test_a_moment_is_one_with_and_without_quotes() -> None:
    for moment in ("2027-01-31T08:00:00Z", "'2027-01-31T08:00:00Z'", "2027-01-31 09:00:00+01:00"):
        assert rule(f"{{Name: A, AnyOf: [{{Term: cat}}], SnoozedUntil: {moment}}}").snoozed_until == "2027-01-31T08:00:00.000Z"


def test_yes_is_not_true_in_silence() -> None:
    (problem,) = problems("Name: A\nEnabled: yes\nAnyOf: [{Term: cat}]")
    assert problem == "rules.yaml, line 2: Rule a: Enabled must be true or false, not 'yes'."


# ----------------------------------------------------------------------------------------------------------- what is wrong


LONG = """\
rules:
  - Name: A
    AnyOf:
      - {Term: cat}
      - {Term: "car): x", MinConfidence: '85'}
  - Name: B
    Cooldown:
      PerSource: true
      Secnds: 3
    AnyOf: [{Term: cat}]
  - Name: C
    AnyOf: [{Term: cat}]
    ActiveHours:
      TimeZone: Europe/Berlin
      Windows:
        - {Days: [mon], From: 22:00, To: 06:00}
        - Days: [mon]
          From: 22:00
          To: 6:00
  - Suorces: [x]
    Name: D
    AnyOf: [{Term: cat}]
  - Name: E
    AnyOf:
      - {Term: cat}
      - dog
  - AnyOf: [{Term: cat}]
  - Name: 猫
    AnyOf: [{Term: cat}]
  - just text
  - Name: G
    Severity: critical
  - Name: H
    AnyOf: [{Term: cat}]
    Severity: urgent
"""


def test_every_mistake_is_reported_with_its_line_its_rule_and_its_field() -> None:
    assert problems(LONG) == [
        "rules.yaml, line 5: Rule a: AnyOf, entry 2 (car): x): MinConfidence must be a number from 0 to 100, not '85'.",
        "rules.yaml, line 9: Rule b: Cooldown: 'Secnds' is not a field of it. Did you mean Seconds?",
        'rules.yaml, line 19: Rule c: ActiveHours: Windows, entry 2: To must be a time of day in quotes from "00:00" to "23:59",'
        " not '6:00'.",
        "rules.yaml, line 20: Rule d: 'Suorces' is not a field of it. Did you mean Sources?",
        "rules.yaml, line 26: Rule e: AnyOf, entry 2 must be a term such as {Term: person, MinConfidence: 80}, not 'dog'.",
        "rules.yaml, line 27: A rule: Name is missing; it must be one line of text with 1 to 100 characters.",
        "rules.yaml, line 28: A rule: RuleId is missing, and can't be made from the name '猫'. Write one, such as gate-1.",
        "rules.yaml, line 30: A rule must be a mapping of fields to values, not 'just text'.",
        "rules.yaml, line 31: Rule g: AnyOf must be a list with at least one entry, unless AllOf, Sources or KeyPrefixes has"
        " one.",
        "rules.yaml, line 35: Rule h: Severity must be one of info, warning, critical, not 'urgent'.",
    ]


@pytest.mark.parametrize(
    "term",
    ["he said (loud): then", "a: b", "x), entry 2", "Rule x: AnyOf, entry 9 (z): MinConfidence", "x): MinArea: y (", "it's (x"],
)
def test_a_mistake_has_its_line_whatever_the_term_is(term: str) -> None:
    text = f"- Name: A\n  AnyOf:\n    - Term: cat\n    - Term: {json.dumps(term)}\n      MinArea: 0.5\n      MinConfidence: 900\n"
    (problem,) = problems(text)
    assert problem.startswith("rules.yaml, line 6: Rule a: AnyOf, entry 2 (")
    assert problem.endswith("MinConfidence must be a number from 0 to 100, not 900.")


def test_problems_are_data_with_a_path_and_a_text() -> None:
    with pytest.raises(InvalidRule) as raised:
        Rule.from_item(value_of(Document("{RuleId: a, Name: A, AnyOf: [{Term: x}, {Term: 'a): b', MinArea: 2}]}").root))
    (problem,) = raised.value.problems
    assert problem == Problem(
        ("AnyOf", 1, "MinArea"), "MinArea must be a number from 0 to 1, not 2.", "Rule a: AnyOf, entry 2 (a): b)"
    )


def test_an_emoji_survives_export_as_json_and_import() -> None:
    named = rule("{RuleId: party, Name: 'Party 🎉👩‍👩‍👧', AnyOf: [{Term: 'cat 🐈'}], Sources: [hof-🏡]}")
    for is_ascii in (True, False):
        text = json.dumps({"rules": [document(named.to_item())]}, ensure_ascii=is_ascii)
        assert rule(text) == named


def test_half_an_escaped_emoji_is_refused() -> None:
    (problem,) = problems('{"Name": "Party \\ud83c", "RuleId": "a", "AnyOf": [{"Term": "cat"}]}')
    assert "Name must be one line of text" in problem


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefgh")
)


@pytest.mark.parametrize("text", [BOMB, f"{BOMB}rules:\n- Name: A\n  AnyOf: *h\n", "&a {b: *a}"])
def test_an_alias_bomb_is_refused_shortly(text: str) -> None:
    found = problems(text)
    assert len("\n".join(found)) < 1000


def test_very_many_mistakes_are_listed_in_part(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("".join(f"- Name: Rule {number}\n  Colour: red\n" for number in range(400)), encoding="utf-8")
    with pytest.raises(UsageError, match=r"^800 mistakes; nothing was done\.$") as raised:
        read_files([str(path)])
    assert len(raised.value.details) == MAX_PROBLEMS_SHOWN + 1
    assert raised.value.details[-1] == "And 750 more mistakes."


SEVERAL = """\
- Name: A
  Sevrity: info
  AnyOf:
    - {Term: cat, MinConfidence: 190, MinInstances: 0}
    - {Trem: dog}
  Channels: []
  ActiveHours:
    TimeZone: Mars/Olympus
    Windows:
      - {Days: [mon], From: 22, To: 6}
  Cooldown: {PerSource: 1}
  BypassQuietHours: perhaps
- RuleId: a
  Name: Another
  AnyOf: [{Term: cat}]
"""


def test_every_mistake_of_one_rule_is_reported_and_that_its_id_is_duplicated(tmp_path: Path) -> None:
    path = str(tmp_path / "r.yaml")
    Path(path).write_text(SEVERAL)
    with pytest.raises(UsageError, match=r"^12 mistakes; nothing was done\.$") as raised:
        read_files([path])
    reported = [detail.removeprefix(f"{path}, ") for detail in raised.value.details]
    expected = [
        "line 2: Rule a: 'Sevrity' is not a field of it.",
        "line 4: Rule a: AnyOf, entry 1 (cat): MinConfidence must be a number from 0 to 100, not 190.",
        "line 4: Rule a: AnyOf, entry 1 (cat): MinInstances must be a whole number from 1 to 100, not 0.",
        "line 5: Rule a: AnyOf, entry 2: 'Trem' is not a field of it.",
        "line 6: Rule a: Channels must be a list",
        "line 8: Rule a: ActiveHours: TimeZone must be the name of a time zone",
        "line 10: Rule a: ActiveHours: Windows, entry 1: From must be",
        "line 10: Rule a: ActiveHours: Windows, entry 1: To must be",
        "line 11: Rule a: Cooldown: Seconds is missing;",
        "line 11: Rule a: Cooldown: PerSource must be true or false, not 1.",
        "line 12: Rule a: BypassQuietHours must be true or false, not 'perhaps'.",
        f"line 13: Rule a is already in {path}, line 1; remove one of them.",
    ]
    assert [line[: len(start)] for line, start in zip(reported, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "rules.yaml: it holds no rule; an empty list is written []."),
        ("rules:\n", "rules.yaml: it holds no rule"),
        ("text", "line 1: there must be a rule (fields such as Name: ...), or a list of rules."),
        ("Name: A\nName: B\nAnyOf: [{Term: cat}]", "line 2: Name is repeated (first on line 1); remove one of them."),
        ("- {Name: A, AnyOf: [{Term: cat, Term: dog}]}", "line 1: Term is repeated"),
        ("rules: []\nRules: []", "line 2: Rules can't stand beside rules"),
        ("a: [", "this is not YAML"),
        ("\t- a", "line 1: this is not YAML"),
        ("--- a\n--- b", "line 2: there are several documents (---)"),
        ("- !!python/object/apply:os.system ['true']", "line 1: tags aren't supported in rules"),
        ("- !!set {a}", "line 1: tags aren't supported in rules"),
        ("\x00", "it isn't text that YAML allows"),
        ("[" * 5000, "nested too deeply"),
        ("- {Name: A, AnyOf: [{Term: cat, MinConfidence: " + "9" * 5000 + "}]}", "line 1: a value can't be read"),
        ("&a [*a]", "line 1: a value contains itself"),
        ("- {? [a] : b}", "this is not YAML"),
        ("<<: {Name: A}\nAnyOf: [{Term: cat}]", "Name is missing"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, says: str) -> None:
    rules, (problem, *_) = read_text(text, "rules.yaml")
    assert rules == []
    assert problem.startswith("rules.yaml")
    assert says in problem


def test_all_mistakes_of_all_files_are_reported_together(tmp_path: Path) -> None:
    first, second, third = (str(tmp_path / name) for name in ("a.yaml", "b.yaml", "c.yaml"))
    Path(first).write_text(RULE)
    Path(second).write_text(RULE + "- Name: B\n")
    with pytest.raises(UsageError, match=r"^3 mistakes; nothing was done\.$") as raised:
        read_files([first, second, third])
    assert raised.value.details == [
        f"{second}, line 6: Rule b: AnyOf must be a list with at least one entry, unless AllOf, Sources or KeyPrefixes has one.",
        f"{third}: there is no such file.",
        f"{second}, line 1: Rule person-at-the-gate is already in {first}, line 1; remove one of them.",
    ]


def test_a_photo_named_by_mistake_is_no_file_of_rules(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it isn't text in UTF-8"):
        read_files([str(ROOT / "samples" / "astronaut-portrait.jpg")])
    with pytest.raises(UsageError, match="can't be read: Is a directory"):
        read_files([str(tmp_path)])
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(UsageError, match="too large"):
        read_files([str(huge)])


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(f"\ufeff{RULE}", encoding="utf-8")
    assert len(read_files([str(tmp_path / "r.yaml")])) == 1


def test_a_file_for_one_rule_may_leave_out_its_id_but_not_change_it() -> None:
    assert read_one("{Name: B, AnyOf: [{Term: cat}]}", "f", "gate").rule.rule_id == "gate"
    with pytest.raises(UsageError, match="RuleId must stay gate; a rule's id never changes"):
        read_one("{RuleId: b, Name: B, AnyOf: [{Term: cat}]}", "f", "gate")
    with pytest.raises(UsageError, match="there must be one rule in it, not 0"):
        read_one("[]", "f", "gate")


@pytest.mark.parametrize(("named", "is_one"), [("person-at-the-gate", False), ("r.yaml", True), ("-", True), ("a/b", True)])
def test_files_and_ids_are_distinguished(named: str, is_one: bool) -> None:
    assert is_file(named) is is_one


# --------------------------------------------------------------------------------------------------------- and back again


def lines(longest: int) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    awkward = [
        "no",
        "22:00",
        "~",
        "1e3",
        "010",
        "0o7",
        "1.",
        "08",
        "-",
        "? a",
        "a: b",
        "# x",
        "'",
        '"',
        "[a",
        "{",
        "*x",
        "&x",
        "!x",
        "%",
    ]
    return (st.text(letters, min_size=1, max_size=longest) | st.sampled_from(awkward)).filter(lambda text: bool(text.strip()))


TERMS = st.builds(
    Term,
    lines(100).map(str.strip).filter(lambda text: bool(words_of(text))),
    st.floats(0, 100),
    st.sampled_from([place for place in PLACES if place not in ("moderation", "text")]),
    st.integers(0, 100),
    st.floats(0, 1),
).map(lambda term: term.to_item())
CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
WINDOWS = st.fixed_dictionaries(
    {"Days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True), "From": CLOCK, "To": CLOCK}
)
RECORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "RuleId": st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True),
        "Name": lines(100),
        "Severity": st.sampled_from(SEVERITIES),
        "AnyOf": st.lists(TERMS, min_size=1, max_size=3),
        "Channels": st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True), min_size=1, max_size=3),
    },
    optional={
        "Enabled": st.booleans(),
        "AllOf": st.lists(TERMS, max_size=3),
        "NoneOf": st.lists(TERMS, max_size=3),
        "Sources": st.lists(lines(30).map(lambda text: text.replace("/", "_")), min_size=1, max_size=3),
        "KeyPrefixes": st.lists(lines(30).filter(lambda text: not text.startswith(("/", "uploads/"))), min_size=1, max_size=3),
        "ActiveHours": st.fixed_dictionaries(
            {"TimeZone": st.sampled_from(["Europe/Berlin", "UTC"]), "Windows": st.lists(WINDOWS, min_size=1, max_size=3)}
        ),
        "SnoozedUntil": st.sampled_from(["2027-01-31T08:00:00Z", "2026-11-20T00:00:00.123+05:30"]),
        "Cooldown": st.fixed_dictionaries({"Seconds": st.integers(0, MAX_COOLDOWN)}, optional={"PerSource": st.booleans()}),
        "Delivery": st.sampled_from(["immediate", "digest"]),
    },
).map(lambda record: {name: value for name, value in record.items() if name != "Cooldown" or record.get("Delivery") != "digest"})


@settings(max_examples=60)
@given(st.lists(RECORDS, max_size=4, unique_by=lambda record: record["RuleId"]))
def test_what_is_exported_is_taken_back_unchanged(records: list[dict[str, Any]]) -> None:
    # As they are stored: a cooldown of no time is none.
    rules = [Rule.from_item(Rule.from_item(record).to_item()) for record in records]
    text = to_yaml(rules)
    back, wrong = read_text(text or "[]", "export.yaml")
    assert wrong == []
    assert [written.rule for written in back] == rules
    # A reader of YAML 1.1 reads the same.
    assert (yaml.safe_load(text) or []) == [document(rule.to_item()) for rule in rules]


def test_a_rule_is_written_as_people_write_it() -> None:
    assert to_yaml([rule(RULE)]) == (
        "- RuleId: person-at-the-gate\n"
        "  Name: Person at the gate\n"
        "  Severity: critical\n"
        "  AnyOf:\n"
        "  - {Term: person, MinConfidence: 85}\n"
        "  - {Term: car, MinConfidence: 80}\n"
        "  Channels: [email]\n"
    )


# -------------------------------------------------------------------------------------------------------------- the schema


def validator() -> Draft202012Validator:
    rule_schema, file_schema = (
        json.loads((ROOT / "docs" / name).read_text()) for name in ("rule.schema.json", "rule-file.schema.json")
    )
    registry: Registry[Any] = Registry().with_resource("rule.schema.json", Resource.from_contents(rule_schema))
    Draft202012Validator.check_schema(file_schema)
    return Draft202012Validator(file_schema, registry=registry)


def test_the_sample_watchlist_is_what_its_schema_says_and_what_the_client_takes() -> None:
    path = ROOT / "samples" / "watchlist.yaml"
    validator().validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert len(read_files([str(path)])) == 3
    hint = path.read_text(encoding="utf-8").splitlines()[0].rpartition("=")[2]
    assert (path.parent / hint).resolve() == ROOT / "docs" / "rule-file.schema.json"


def test_the_example_in_the_docs_is_what_its_schema_says_and_what_the_client_takes() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(encoding="utf-8"), re.DOTALL)
    assert (ROOT / "docs" / example.splitlines()[0].rpartition("=")[2]).resolve() == ROOT / "docs" / "rule-file.schema.json"
    written = Document(example)
    assert written.root
    validator().validate(value_of(written.root))  # as editors read YAML: 22:00 is no number
    assert rule(example).rule_id == "person-at-the-gate"


def test_each_piece_of_a_rule_in_the_docs_is_what_the_schema_says() -> None:
    pieces = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "watchlist.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(pieces) == 3
    for piece in pieces:
        record = json.loads(piece if piece.startswith("{") else f"{{{piece}}}")
        one = {"RuleId": "a", "Name": "A", **({} if {"AnyOf", "AllOf"} & set(record) else {"AnyOf": [{"Term": "cat"}]}), **record}
        validator().validate([one])
        assert Rule.from_item(one)


def test_the_schema_of_a_file_takes_a_rule_whose_id_is_made_of_its_name_and_not_one_without_a_name() -> None:
    check, nameless = validator(), {"RuleId": "a", "AnyOf": [{"Term": "cat"}]}
    named = {"Name": "A", "AnyOf": [{"Term": "cat"}]}
    for value in (named, [named], {"rules": [named]}):
        assert check.is_valid(value)
    for value in (nameless, [nameless], {"rules": [nameless]}, {**named, "RuleId": "Not a slug"}, {"Name": "A"}):
        assert not check.is_valid(value)


def test_the_schema_of_a_file_takes_each_of_its_forms_and_nothing_else() -> None:
    one = {"RuleId": "a", "Name": "A", "AnyOf": [{"Term": "cat"}]}
    check = validator()
    for value in (one, [one], [], {"rules": [one]}):
        assert check.is_valid(value)
    for value in ("text", [one, "text"], {"rules": [one], "more": 1}, {**one, "Suorces": []}, None):
        assert not check.is_valid(value)
