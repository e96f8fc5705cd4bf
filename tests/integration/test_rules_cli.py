"""`imagewatch rules` from its arguments to its exit codes, against moto: reading and writing the watchlist."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from imagewatch.images.version import ImageVersion
from imagewatch.rules.model import Rule
from uploader.cli import main
from uploader.rules.rule_store import Rules

from .conftest import Stack

Output = pytest.CaptureFixture[str]
OUTPUTS = ("WatchlistTable", "AlertsTable", "ImagesTable", "ChannelsTable", "ImagesBucket")
GATE = {"RuleId": "gate", "Name": "Gate", "Version": 3, "AnyOf": [{"Term": "Person", "MinConfidence": 80}], "Channels": ["email"]}
FILE = """\
rules:
  - RuleId: gate
    Name: Gate
    AnyOf: [{Term: Person, MinConfidence: 90}]
    Severity: critical
  - Name: Cat on the sofa
    AnyOf: [{Term: Cat}]
"""


@pytest.fixture
def deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack with its outputs, and a file of rules in the folder that commands are called from."""
    values = {f"{name}Name": stack.name(name) for name in OUTPUTS}
    values |= {"AlertsTopicArn": stack.name("AlertsTopic"), "OperationsTopicArn": stack.name("OperationsTopic")}
    body = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    stack.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(body))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return stack


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    (tmp_path / "rules.yaml").write_text(FILE)
    return tmp_path


def watchlist(stack: Stack) -> dict[str, dict[str, Any]]:
    return {item["RuleId"]: item for item in stack.items("WatchlistTable")}


def document(out: Output) -> Any:
    return json.loads(out.readouterr().out)


def editor(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """$EDITOR is this shell script; $1 is the file."""
    path = folder / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(path))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{answer}\n" for answer in answers)))


# --------------------------------------------------------------------------------------------------------------------- add


def test_a_rule_by_flags_is_on_the_watchlist_with_its_first_version(deployed: Stack, capsys: Output) -> None:
    assert main(["rules", "add", "Person at the gate", "--any", "Person:90", "--source", "gate", "--cooldown", "10m"]) == 0
    (stored,) = deployed.items("WatchlistTable")
    assert stored.pop("CreatedAt") == stored.pop("UpdatedAt")
    assert stored == {
        "RuleId": "person-at-the-gate", "Name": "Person at the gate", "Version": 1, "Enabled": True, "Severity": "warning",
        "AnyOf": [{"Term": "Person", "MinConfidence": 90}], "Sources": ["gate"], "Channels": ["email"],
        "Cooldown": {"Seconds": 600, "PerSource": False},
    }  # fmt: skip
    assert "imagewatch rules preview person-at-the-gate\n" in capsys.readouterr().out


def test_what_to_try_next_names_the_same_deployment_and_only_what_is_there(deployed: Stack, capsys: Output) -> None:
    assert main(["rules", "add", "Cat", "--any", "Cat", "--region", "us-east-1", "--dry-run"]) == 0
    assert "preview" not in capsys.readouterr().out
    assert main(["rules", "add", "Cat", "--any", "Cat", "--region", "us-east-1"]) == 0
    assert "imagewatch rules preview cat --region us-east-1\n" in capsys.readouterr().out


def test_a_file_adds_each_of_its_rules(deployed: Stack) -> None:
    assert main(["rules", "add", "rules.yaml"]) == 0
    assert set(watchlist(deployed)) == {"gate", "cat-on-the-sofa"}


def test_a_rule_can_come_from_stdin(deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("{Name: Cat, AnyOf: [{Term: Cat}]}"))
    assert main(["rules", "add", "-"]) == 0
    assert set(watchlist(deployed)) == {"cat"}
    monkeypatch.setattr(sys, "stdin", io.StringIO("{Name: Cat}"))
    assert main(["rules", "add", "-"]) == 2
    assert "stdin, line 1: Rule cat: AnyOf must be a list" in capsys.readouterr().err


def test_a_rule_that_is_there_is_never_overwritten_by_adding(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "add", "Gate", "--any", "Dog"]) == 1
    assert "there is a rule gate already: `imagewatch rules edit gate` changes it" in capsys.readouterr().err
    assert main(["rules", "add", "rules.yaml"]) == 1
    assert watchlist(deployed) == {"gate": GATE}
    assert main(["rules", "add", "Gate", "--any", "Dog", "--id", "gate-2"]) == 0
    assert set(watchlist(deployed)) == {"gate", "gate-2"}


def test_two_who_add_the_same_rule_at_once_get_one_rule(deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(Rules, "find", lambda *_: None)  # the other one came between the look and the write
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "add", "Gate", "--any", "Dog"]) == 1
    assert "there is a rule gate already" in capsys.readouterr().err
    assert watchlist(deployed) == {"gate": GATE}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Person at the gate"], "there is no file 'Person at the gate'. To add a rule of this name, say what to look for"),
        (["gate"], "there is no file 'gate'"),
        (["missing.yaml"], "missing.yaml: there is no such file"),
        (["rules.yaml", "--id", "x"], "--id goes with a name and flags"),
        (["Gate", "--any", "Person:101"], "Rule gate: AnyOf, entry 1 (Person): MinConfidence must be a number from 0 to 100"),
        (["Gate", "--severity", "critical"], "AnyOf must be a list with at least one entry"),
    ],
)
def test_what_cannot_be_added_says_what_to_do(deployed: Stack, capsys: Output, arguments: list[str], says: str) -> None:
    assert main(["rules", "add", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert deployed.items("WatchlistTable") == []


def test_a_dry_run_writes_nothing(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    for arguments in (
        ["add", "Dog", "--any", "Dog"],
        ["edit", "gate", "--any", "Dog"],
        ["disable", "gate"],
        ["snooze", "gate", "--for", "2h"],
        ["delete", "gate"],
        ["import", "rules.yaml", "--prune"],
    ):
        assert main(["rules", *arguments, "--dry-run"]) == 0, arguments
        assert "Nothing was written (--dry-run)" in capsys.readouterr().out
    assert watchlist(deployed) == {"gate": GATE}


# ------------------------------------------------------------------------------------------------------------------ advice


def test_a_name_that_nothing_has_is_a_question_and_never_a_refusal(deployed: Stack, capsys: Output) -> None:
    found = {"Name": "Zeppelin", "Confidence": 90, "Parents": ["Airship"], "Aliases": [], "Categories": [], "Instances": []}
    deployed.put_item("ImagesTable", {"ImageId": "i", "Labels": [found], "Moderation": {"Labels": []}})
    assert main(["rules", "add", "A", "--any", "Persn", "--none", "zepelin", "--all", "xyzzy"]) == 0
    err = capsys.readouterr().err
    assert "Rule a: 'Persn' is not a known name. Did you mean Person" in err
    assert "'zepelin' is not a known name. Did you mean Zeppelin" in err
    assert "'xyzzy' is not a known name, and none of 1 images of this stack has a label of this name." in err
    assert main(["rules", "add", "B", "--any", "Airship", "--json"]) == 0
    assert document(capsys)["advice"] == []


def test_a_source_without_images_is_a_warning_and_never_a_question(deployed: Stack, capsys: Output) -> None:
    for folder in ("Front Door", "yard"):
        image = ImageVersion("images", f"uploads/{folder}/a.jpg", "v1", "e", "00", 1, "2026-11-20T11:59:00.000Z")
        deployed.put_item("ImagesTable", image.to_state())
    sources = ("--source", "FRONT DOOR", "--source", "yard", "--source", "Yrad")
    assert main(["rules", "add", "A", "--any", "Person", *sources, "--json"]) == 0
    assert document(capsys)["advice"] == ["Rule a: no image of the source 'yrad' has been uploaded yet."]
    assert watchlist(deployed)["a"]["Sources"] == ["front-door", "yard", "yrad"]


def test_a_user_at_a_terminal_is_asked_whether_a_name_is_meant(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    at_a_terminal(monkeypatch, "n")
    assert main(["rules", "add", "A", "--any", "Persn"]) == 1
    err = capsys.readouterr().err
    assert (
        err.index("Did you mean Person") < err.index("Add it all the same? [y/N]") < err.index("imagewatch: nothing was written.")
    )
    assert watchlist(deployed) == {}
    at_a_terminal(monkeypatch, "y")
    assert main(["rules", "add", "A", "--any", "Persn"]) == 0
    capsys.readouterr()
    for arguments in (["--yes"], ["--dry-run"], ["--json", "--yes"]):
        at_a_terminal(monkeypatch)
        assert main(["rules", "edit", "a", "--any", "Persn", "--all", "Dgo", *arguments]) == 0
        assert "all the same" not in capsys.readouterr().err
    at_a_terminal(monkeypatch, "n")
    assert main(["rules", "edit", "a", "--any", "Persn", "--none", "Catt"]) == 1
    assert "Change it all the same? [y/N]" in capsys.readouterr().err
    editor(folder, monkeypatch, 'sed -i s/Persn/Perssn/ "$1"')
    at_a_terminal(monkeypatch, "n")
    assert main(["rules", "edit", "a"]) == 1
    (kept,) = folder.glob("imagewatch-*/a.yaml")
    assert f"nothing was written. Your text is kept in {kept}" in capsys.readouterr().err
    at_a_terminal(monkeypatch)
    assert main(["rules", "disable", "a"]) == 0
    assert "all the same" not in capsys.readouterr().err


def with_parameters(stack: Stack, **parameters: str) -> None:
    client = stack.client("cloudformation")
    template = client.get_template(StackName="imagewatch")["TemplateBody"]
    body = json.loads(template) if isinstance(template, str) else dict(template)
    body["Parameters"] = {name: {"Type": "String"} for name in parameters}
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    client.update_stack(StackName="imagewatch", TemplateBody=json.dumps(body), Parameters=given)


def test_what_this_stack_never_finds_or_does_not_keep_is_reported(deployed: Stack, capsys: Output) -> None:
    with_parameters(deployed, TextDetection="off", FloorConfidence="40", ModerationFloorConfidence="50")
    terms = [
        "text=parcel",
        "Dog:39",
        "Cat:40",
        "label=Car:10",
        "moderation=Violence:49",
        "moderation=Weapons:50",
        "parent=Animal:0",
    ]
    assert main(["rules", "add", "A", *(part for term in terms for part in ("--any", term)), "--json"]) == 0
    assert document(capsys)["advice"] == [
        "Rule a: 'parcel' never matches: this stack doesn't read text (its parameter TextDetection is off).",
        *(
            f"Rule a: {term!r} asks for {least} %, but matches only from {floor} % up: findings of lower confidence"
            f" aren't stored (the stack's parameter {parameter})."
            for term, least, floor, parameter in (
                ("Dog", 39, 40, "FloorConfidence"),
                ("Car", 10, 40, "FloorConfidence"),
                ("Violence", 49, 50, "ModerationFloorConfidence"),
                ("Animal", 0, 40, "FloorConfidence"),
            )
        ),
    ]
    with_parameters(deployed, TextDetection="on", FloorConfidence="0", ModerationFloorConfidence="0")
    assert main(["rules", "add", "B", "--any", "text=parcel", "--any", "Dog:1", "--json"]) == 0
    assert document(capsys)["advice"] == []


def test_a_missing_channel_is_reported(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("ChannelsTable", {"ChannelId": "ops", "Kind": "slack"})
    assert main(["rules", "add", "A", "--any", "Person", "--channel", "email", "--channel", "ops", "--channel", "opps"]) == 0
    err = capsys.readouterr().err
    assert "Rule a: there is no channel opps yet" in err
    assert err.count("there is no channel") == 1


# -------------------------------------------------------------------------------------------------------------------- edit


def test_flags_change_what_they_say_and_count_the_version_up(deployed: Stack, capsys: Output) -> None:
    deployed.put_item(
        "WatchlistTable", {**GATE, "CreatedAt": "2026-01-01T00:00:00.000Z", "UpdatedAt": "2026-01-01T00:00:00.000Z"}
    )
    assert main(["rules", "edit", "gate", "--min-confidence", "person:90", "--severity", "info"]) == 0
    stored = watchlist(deployed)["gate"]
    assert (stored["Version"], stored["Severity"], stored["AnyOf"]) == (4, "info", [{"Term": "Person", "MinConfidence": 90}])
    assert stored["CreatedAt"] == "2026-01-01T00:00:00.000Z" < stored["UpdatedAt"]
    printed = capsys.readouterr().out
    assert "Severity: warning -> info" in printed
    assert "AnyOf: - {Term: Person, MinConfidence: 80}" in printed
    assert "AnyOf: + {Term: Person, MinConfidence: 90}" in printed


def test_an_edit_that_changes_nothing_writes_nothing(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "edit", "gate", "--min-confidence", "Person:80"]) == 0
    assert "1 unchanged" in capsys.readouterr().out
    assert watchlist(deployed) == {"gate": GATE}


def test_the_editor_gets_the_rule_and_what_it_leaves_is_written(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.put_item("WatchlistTable", {**GATE, "SnoozedUntil": "2099-01-01T00:00:00.000Z"})
    editor(folder, monkeypatch, 'cp "$1" seen.yaml; sed -i -e "s/MinConfidence: 80/MinConfidence: 95/" -e /SnoozedUntil/d "$1"')
    assert main(["rules", "edit", "gate"]) == 0
    stored = watchlist(deployed)["gate"]
    assert (stored["AnyOf"][0]["MinConfidence"], stored["Version"]) == (95, 4)
    assert "SnoozedUntil" not in stored
    seen = (folder / "seen.yaml").read_text()
    assert "# The rule gate, version 3." in seen
    assert "\nVersion" not in seen
    assert not list(folder.glob("imagewatch-*"))


def test_a_rule_that_is_left_as_it_was_is_not_written(deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed.put_item("WatchlistTable", GATE)
    editor(folder, monkeypatch, "true")
    assert main(["rules", "edit", "gate"]) == 0
    assert watchlist(deployed) == {"gate": GATE}
    assert not list(folder.glob("imagewatch-*"))


def test_a_text_with_a_mistake_is_kept_and_its_place_is_reported(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", GATE)
    editor(folder, monkeypatch, 'sed -i "s/MinConfidence: 80/MinConfidence: 195/" "$1"')
    assert main(["rules", "edit", "gate"]) == 1
    err = capsys.readouterr().err
    assert "gate.yaml, line 7: Rule gate: AnyOf, entry 1 (Person): MinConfidence must be a number from 0 to 100, not 195." in err
    (kept,) = folder.glob("imagewatch-*/gate.yaml")
    assert str(kept) in err.replace("\n", "")
    assert "195" in kept.read_text()
    assert watchlist(deployed) == {"gate": GATE}
    kept.write_text(kept.read_text().replace("195", "85"))
    assert main(["rules", "edit", "gate", "--file", str(kept)]) == 0
    assert watchlist(deployed)["gate"]["AnyOf"][0]["MinConfidence"] == 85


def test_a_user_at_a_terminal_may_edit_again(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", GATE)
    editor(
        folder,
        monkeypatch,
        'if grep -q 195 "$1"; then sed -i s/195/85/ "$1"; else sed -i "s/MinConfidence: 80/MinConfidence: 195/" "$1"; fi',
    )
    at_a_terminal(monkeypatch, "y")
    assert main(["rules", "edit", "gate"]) == 0
    assert "Edit it again? [y/N]" in capsys.readouterr().err
    assert watchlist(deployed)["gate"]["AnyOf"][0]["MinConfidence"] == 85


def test_an_edit_that_lost_the_race_is_reported_and_its_text_kept(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", GATE)
    editor(folder, monkeypatch, 'sed -i s/80/85/ "$1"')
    get = Rules.get

    def then_another_user_writes(rules: Rules, rule_id: str) -> Any:
        found = get(rules, rule_id)
        deployed.put_item("WatchlistTable", {**GATE, "Version": 4, "Name": "Theirs"})
        return found

    monkeypatch.setattr(Rules, "get", then_another_user_writes)
    assert main(["rules", "edit", "gate"]) == 1
    err = capsys.readouterr().err
    assert "another user has changed or deleted the rule gate meanwhile; it was version 3 when it was read" in err
    (kept,) = folder.glob("imagewatch-*/gate.yaml")
    assert str(kept) in err
    assert watchlist(deployed)["gate"]["Name"] == "Theirs"


@pytest.mark.parametrize("action", [["delete", "--yes"], ["disable"]])
def test_a_rule_that_was_deleted_and_created_again_is_another_one(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output, action: list[str]
) -> None:
    deployed.put_item("WatchlistTable", {**GATE, "UpdatedAt": "2026-01-01T00:00:00.000Z"})
    get = Rules.get

    def then_it_is_created_again(rules: Rules, rule_id: str) -> Any:
        found = get(rules, rule_id)
        deployed.put_item("WatchlistTable", {**GATE, "Name": "Second", "UpdatedAt": "2026-01-02T00:00:00.000Z"})
        return found

    monkeypatch.setattr(Rules, "get", then_it_is_created_again)
    assert main(["rules", *action, "gate"]) == 1
    assert "Done" not in capsys.readouterr().out
    assert watchlist(deployed)["gate"]["Name"] == "Second"


@pytest.mark.parametrize("command", ["does-not-exist", "sh -c 'exit 3'"])
def test_an_editor_that_fails_writes_nothing(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, command: str
) -> None:
    deployed.put_item("WatchlistTable", GATE)
    editor(folder, monkeypatch, "true")
    monkeypatch.setenv("EDITOR", command)
    assert main(["rules", "edit", "gate"]) == 1
    assert "editor" in capsys.readouterr().err
    assert watchlist(deployed) == {"gate": GATE}


def test_a_rule_that_was_written_past_the_checks_can_be_seen_put_right_and_deleted(
    deployed: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", {**GATE, "Severity": "loud"})
    deployed.put_item("WatchlistTable", {"RuleId": "Not a slug"})
    assert main(["rules", "list"]) == 0
    assert "Rule gate: Severity must be" in " ".join(capsys.readouterr().out.split())
    assert main(["rules", "show", "gate"]) == 1
    assert "Put it right with `imagewatch rules edit gate`" in capsys.readouterr().err
    assert main(["rules", "export"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, "2 rules were left out" in printed.err) == ("[]\n", True)
    editor(folder, monkeypatch, 'grep -q "# It is ignored as it is: Rule gate: Severity" "$1" && sed -i s/loud/info/ "$1"')
    assert main(["rules", "edit", "gate"]) == 0
    assert (watchlist(deployed)["gate"]["Severity"], watchlist(deployed)["gate"]["Version"]) == ("info", 4)
    assert main(["rules", "delete", "Not a slug", "--yes"]) == 0
    assert set(watchlist(deployed)) == {"gate"}


def test_an_older_record_without_a_version_can_be_changed(deployed: Stack) -> None:
    deployed.put_item("WatchlistTable", {"RuleId": "old", "Name": "Old", "Terms": [{"Term": "Car"}], "Enabled": True})
    assert main(["rules", "disable", "old"]) == 0
    stored = watchlist(deployed)["old"]
    assert (stored["Version"], stored["Enabled"], stored["AnyOf"]) == (2, False, [{"Term": "Car", "MinConfidence": 80}])
    assert "Terms" not in stored


# --------------------------------------------------------------------------------------------- enable, disable, snooze, delete


def test_a_rule_is_switched_off_and_on(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "disable", "gate"]) == 0
    assert "Enabled: true -> false" in capsys.readouterr().out
    assert watchlist(deployed)["gate"]["Enabled"] is False
    assert main(["rules", "enable", "gate"]) == 0
    assert (watchlist(deployed)["gate"]["Enabled"], watchlist(deployed)["gate"]["Version"]) == (True, 5)


def test_a_snooze_has_an_end(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "snooze", "gate", "--for", "2h"]) == 0
    assert Rule.from_item(watchlist(deployed)["gate"]).snoozed_until > watchlist(deployed)["gate"]["UpdatedAt"]
    assert main(["rules", "snooze", "gate", "--until", "2099-01-31T08:00+01:00"]) == 0
    assert watchlist(deployed)["gate"]["SnoozedUntil"] == "2099-01-31T07:00:00.000Z"
    assert "It sends no alerts until 2099-01-31 07:00 UTC" in capsys.readouterr().out
    assert main(["rules", "list"]) == 0
    assert "snoozed until" in " ".join(capsys.readouterr().out.split())
    assert main(["rules", "snooze", "gate", "--off"]) == 0
    assert "SnoozedUntil" not in watchlist(deployed)["gate"]


def test_a_snooze_in_the_past_is_refused(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "snooze", "gate", "--until", "2020-01-31"]) == 2
    assert main(["rules", "snooze", "gate", "--for", "0"]) == 2
    assert "that moment is past" in capsys.readouterr().err
    for wrong in (["--until", "tomorrow"], ["--for", "soon"], []):
        assert main(["rules", "snooze", "gate", *wrong]) == 2
    assert watchlist(deployed) == {"gate": GATE}


def put_alert(stack: Stack, number: int, **more: Any) -> None:
    match = {"Term": "Person", "Label": "Person", "Kind": "name", "Confidence": 90, "Count": 1}
    matches = {"RuleId": "gate", "Name": "Gate", "Matches": [match]}
    alert = {"AlertId": f"{number:032x}", "RuleId": "gate", "ImageId": "i", "Status": "SENT", "Rule": matches}
    stack.put_item("AlertsTable", {**alert, "CreatedAt": f"2099-11-20T16:{number:02}:00.000Z", **more})


def test_deleting_asks_and_says_how_many_alerts_there_were(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", GATE)
    for number in range(3):
        put_alert(deployed, number)
    assert main(["rules", "delete", "gate"]) == 2
    assert "say --yes" in capsys.readouterr().err
    at_a_terminal(monkeypatch, "n")
    assert main(["rules", "delete", "gate"]) == 1
    printed = capsys.readouterr()
    assert "Gate (gate, version 3). It has had 3 alerts; they are kept." in printed.out
    assert "Delete it? [y/N]" in printed.err
    assert watchlist(deployed) == {"gate": GATE}
    at_a_terminal(monkeypatch, "y")
    assert main(["rules", "delete", "gate"]) == 0
    assert watchlist(deployed) == {}
    assert len(deployed.items("AlertsTable")) == 3


def test_a_rule_that_is_not_there_may_have_been_meant_otherwise(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    for action in (
        ["show"],
        ["edit", "--name", "X"],
        ["enable"],
        ["disable"],
        ["snooze", "--off"],
        ["delete", "--yes"],
        ["export"],
    ):
        assert main(["rules", action[0], "gaet", *action[1:]]) == 1
        assert "there is no rule gaet. Did you mean gate?" in capsys.readouterr().err
    assert main(["rules", "show", "xyzzy"]) == 1
    assert "`imagewatch rules list` shows those that there are" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------ list and show


def test_the_list_shows_the_state_of_each_rule(deployed: Stack, capsys: Output) -> None:
    assert main(["rules", "list"]) == 0
    assert "There are no rules yet" in capsys.readouterr().out
    deployed.put_item("WatchlistTable", {**GATE, "Cooldown": {"Seconds": 600, "PerSource": True}, "Sources": ["yard\x1b[31m"]})
    deployed.put_item("WatchlistTable", {**GATE, "RuleId": "off", "Enabled": False, "NoneOf": [{"Term": "x", "In": "text"}]})
    assert main(["rules", "list"]) == 0
    printed = capsys.readouterr().out
    assert "Person, without x (in text)" in printed
    assert "email, then silent for 10 minutes per source" in printed
    assert "\x1b" not in printed
    assert main(["rules", "list", "--json"]) == 0
    assert [(rule["RuleId"], rule["State"]) for rule in document(capsys)["rules"]] == [("gate", "on"), ("off", "off")]


def test_a_rule_is_shown_with_how_its_alerts_have_fared(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    assert main(["rules", "show", "gate"]) == 0
    assert "No alerts in the last 30 days." in capsys.readouterr().out
    for number in range(4):
        put_alert(deployed, number)
    put_alert(deployed, 5, Status="SUPPRESSED")
    put_alert(deployed, 6, NotThis={"By": "me"})
    put_alert(deployed, 7, CreatedAt="2001-01-01T00:00:00.000Z")
    assert main(["rules", "show", "gate"]) == 0
    printed = capsys.readouterr().out
    assert "Gate (gate, version 3) is on." in printed
    assert "    - {Term: Person, MinConfidence: 80}" in printed
    assert "6 alerts in the last 30 days: 5 sent, 1 suppressed." in printed
    assert "gate: 4 of 5 alerts were right (80 %); 1 were marked as wrong." in printed
    assert main(["rules", "show", "gate", "--json"]) == 0
    shown = document(capsys)
    assert (shown["rule"]["RuleId"], shown["alerts"]["sent"], shown["alerts"]["precision"]) == ("gate", 5, 0.8)


# --------------------------------------------------------------------------------------------------------- import and export


def test_an_import_adds_and_changes_and_a_second_one_does_nothing(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    deployed.put_item("WatchlistTable", {**GATE, "RuleId": "other"})
    assert main(["rules", "import", "rules.yaml", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "changed    gate" in printed
    assert "Severity: warning -> critical" in printed
    assert "new        cat-on-the-sofa" in printed
    assert "other" not in printed
    assert main(["rules", "import", "rules.yaml", "--json"]) == 0
    assert [(rule["rule"], rule["change"]) for rule in document(capsys)["rules"]] == [
        ("gate", "changed"),
        ("cat-on-the-sofa", "new"),
    ]
    stored = watchlist(deployed)
    assert {rule_id: rule["Version"] for rule_id, rule in stored.items()} == {"gate": 4, "cat-on-the-sofa": 1, "other": 3}
    assert main(["rules", "import", "rules.yaml"]) == 0
    assert "2 unchanged" in capsys.readouterr().out
    assert watchlist(deployed) == stored


def test_nothing_is_written_when_one_rule_is_wrong(deployed: Stack, folder: Path, capsys: Output) -> None:
    (folder / "more.yaml").write_text("- {Name: A, AnyOf: [{Term: cat}]}\n- {Name: B, AnyOf: [{Term: dog}], Sevrity: info}\n")
    assert main(["rules", "import", "rules.yaml", "more.yaml"]) == 2
    err = capsys.readouterr().err
    assert "more.yaml, line 2: Rule b: 'Sevrity' is not a field of it. Did you mean Severity?" in err
    assert deployed.items("WatchlistTable") == []


def test_a_snooze_is_kept_unless_the_file_speaks_of_it(deployed: Stack, folder: Path) -> None:
    deployed.put_item("WatchlistTable", {**GATE, "SnoozedUntil": "2099-01-01T00:00:00.000Z"})
    assert main(["rules", "import", "rules.yaml"]) == 0
    assert watchlist(deployed)["gate"]["SnoozedUntil"] == "2099-01-01T00:00:00.000Z"
    (folder / "rules.yaml").write_text(FILE.replace("Severity: critical", "SnoozedUntil: 2098-01-01T00:00:00Z"))
    assert main(["rules", "import", "rules.yaml"]) == 0
    assert watchlist(deployed)["gate"]["SnoozedUntil"] == "2098-01-01T00:00:00.000Z"


def test_rules_that_are_in_no_file_are_deleted_only_when_that_was_said_twice(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {**GATE, "RuleId": "other"})
    assert main(["rules", "import", "rules.yaml", "--prune"]) == 2
    assert "--prune would delete 1 rules (other)" in capsys.readouterr().err
    assert set(watchlist(deployed)) == {"other"}
    assert main(["rules", "import", "rules.yaml", "--prune", "--yes"]) == 0
    assert set(watchlist(deployed)) == {"gate", "cat-on-the-sofa"}


def test_a_file_without_rules_deletes_nothing_by_mistake(deployed: Stack, folder: Path) -> None:
    deployed.put_item("WatchlistTable", GATE)
    (folder / "rules.yaml").write_text("")
    assert main(["rules", "import", "rules.yaml", "--prune", "--yes"]) == 2
    (folder / "rules.yaml").write_text("[]")
    assert main(["rules", "import", "rules.yaml"]) == 2
    assert watchlist(deployed) == {"gate": GATE}


def test_a_rule_that_another_user_changes_during_an_import_is_reported_and_the_others_are_written(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", GATE)
    read = Rules.all

    def then_another_user_writes(rules: Rules) -> Any:
        found = read(rules)
        deployed.put_item("WatchlistTable", {**GATE, "Version": 4, "Name": "Theirs"})
        return found

    monkeypatch.setattr(Rules, "all", then_another_user_writes)
    assert main(["rules", "import", "rules.yaml"]) == 1
    printed = capsys.readouterr()
    assert "Done: 1 new." in printed.out
    assert "another user has changed or deleted the rule gate" in printed.err
    assert watchlist(deployed)["gate"]["Name"] == "Theirs"
    assert "cat-on-the-sofa" in watchlist(deployed)


def test_what_is_exported_is_taken_back_unchanged(deployed: Stack, folder: Path, capsys: Output) -> None:
    full = {
        **GATE,
        "SnoozedUntil": "2099-01-01T00:00:00.000Z",
        "Enabled": False,
        "Sources": ["no", "22:00"],
        "Severity": "critical",
    }
    deployed.put_item("WatchlistTable", full)
    assert main(["rules", "add", "rules.yaml"]) == 1
    assert main(["rules", "add", "Cat", "--any", "Cat"]) == 0
    before = watchlist(deployed)
    capsys.readouterr()
    assert main(["rules", "export"]) == 0
    (folder / "export.yaml").write_text(capsys.readouterr().out)
    assert main(["rules", "import", "export.yaml"]) == 0
    assert "2 unchanged" in capsys.readouterr().out
    assert watchlist(deployed) == before
    assert main(["rules", "export", "cat", "--json"]) == 0
    assert [rule["RuleId"] for rule in document(capsys)["rules"]] == ["cat"]


def test_the_functions_read_what_the_client_has_written(deployed: Stack) -> None:
    from imagewatch.aws.tables import rules as rules_table

    assert main(["rules", "import", "rules.yaml"]) == 0
    deployed.use_environment("EvaluateWatchlist")
    current, invalid = rules_table.current()
    assert invalid == []
    assert {rule.rule_id for rule in current.rules} == {"gate", "cat-on-the-sofa"}
