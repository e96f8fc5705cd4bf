"""`imagewatch mute` and `unmute` from their arguments to their exit codes, against moto; and rules that ask for digests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagewatch.rules.mutes import Mutes
from imagewatch.timestamps import iso_utc
from uploader.cli import main

from .conftest import Stack, sample_event
from .test_rules_cli import GATE, Output, deployed, document, watchlist

__all__ = ["deployed"]  # a fixture
PAST, FAR = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def stored(stack: Stack) -> Mutes:
    return Mutes.from_item(watchlist(stack)["#mutes"])


def put(stack: Stack, **fields: Any) -> None:
    stack.put_item("WatchlistTable", {"RuleId": "#mutes", "Version": 1, **fields})


def test_a_source_is_muted_for_a_time(deployed: Stack, capsys: Output) -> None:
    before = datetime.now(UTC)
    assert main(["mute", "--source", "Gate 2", "--source", "yard", "--for", "1h"]) == 0
    mutes = stored(deployed)
    assert (set(mutes.sources), mutes.everything) == ({"gate-2", "yard"}, "")
    end = datetime.fromisoformat(mutes.sources["gate-2"])
    assert before + timedelta(minutes=59) < end < before + timedelta(minutes=61)
    out, err = capsys.readouterr()
    assert "Muted until " in out
    assert ": gate-2" in out
    assert "No image of the source 'gate-2' has been uploaded yet." in " ".join((out + err).split())


def test_a_source_with_images_is_muted_without_a_warning(deployed: Stack, capsys: Output) -> None:
    image = sample_event("store_analysis")["Image"]
    deployed.put_item("ImagesTable", {**image, "Source": "gate-2"})
    assert main(["mute", "--source", "gate-2", "--for", "1h"]) == 0
    assert "No image" not in "".join(capsys.readouterr())


def test_everything_is_muted_and_a_sources_mute_stays(deployed: Stack, capsys: Output) -> None:
    put(deployed, Sources={"yard": FAR, "old": PAST})
    assert main(["mute", "--all", "--for", "30m", "--json"]) == 0
    said = document(capsys)["mutes"]
    assert (said["sources"], said["all"] > iso_utc(datetime.now(UTC))) == ({"yard": FAR}, True)
    assert stored(deployed).sources == {"yard": FAR}  # the expired one is removed
    assert stored(deployed).version == 2


def test_the_list_shows_mutes_that_are_not_expired_and_writes_nothing(deployed: Stack, capsys: Output) -> None:
    assert main(["mute", "--list"]) == 0
    assert "Nothing is muted." in capsys.readouterr().out
    put(deployed, Sources={"gate-2": FAR, "old": PAST}, All=PAST)
    assert main(["mute", "--list"]) == 0
    out = capsys.readouterr().out
    assert out.strip() == "Muted until 2099-01-01 00:00 UTC: gate-2"
    assert stored(deployed).version == 1


def test_a_mute_is_ended(deployed: Stack, capsys: Output) -> None:
    put(deployed, Sources={"gate-2": FAR, "yard": FAR}, All=FAR)
    assert main(["unmute", "--source", "Gate 2"]) == 0
    assert (stored(deployed).sources, stored(deployed).everything) == ({"yard": FAR}, FAR)
    assert main(["unmute", "--source", "gate-2"]) == 0
    assert "The source gate-2 was not muted." in "".join(capsys.readouterr())
    assert main(["unmute", "--all"]) == 0
    assert (stored(deployed).sources, stored(deployed).everything) == ({}, "")
    assert "Nothing is muted." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mute", "--source", "a", "--for", "0"], "--for is a time from 1s to 366d"),
        (["mute", "--all", "--for", "400d"], "--for is a time from 1s to 366d"),
        (["mute", "--all", "--for", "soon"], "is no length of time"),
        (["mute", "--all"], "give the time with --for"),
        (["mute", "--for", "1h"], "give either --source or --all"),
        (["mute", "--source", "a", "--all", "--for", "1h"], "give either --source or --all"),
        (["mute", "--source", "a/b", "--for", "1h"], "a folder directly below uploads/"),
        (["mute", "--source", " ", "--for", "1h"], "a folder directly below uploads/"),
        (["mute", "--list", "--for", "1h"], "--list shows the mutes"),
        (["unmute"], "give either --source or --all"),
    ],
)
def test_what_is_no_mute_is_refused(deployed: Stack, capsys: Output, arguments: list[str], says: str) -> None:
    assert main(arguments) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert watchlist(deployed) == {}


def test_two_users_lose_no_mute(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from uploader.rules.mute_store import MuteStore

    read, others = MuteStore.read, iter([{"yard": FAR}])

    def interrupted(store: MuteStore) -> Mutes:
        found = read(store)
        for sources in others:
            put(deployed, Sources=sources)
        return found

    monkeypatch.setattr(MuteStore, "read", interrupted)
    assert main(["mute", "--source", "gate-2", "--for", "1h"]) == 0
    assert set(stored(deployed).sources) == {"gate-2", "yard"}


# ----------------------------------------------------------------------------------------------------- mutes are no rules


def test_the_list_of_rules_says_first_what_is_muted(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    put(deployed, Sources={"gate-2": FAR})
    assert main(["rules", "list"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].strip() == "Muted until 2099-01-01 00:00 UTC: gate-2"
    assert "#mutes" not in out
    assert main(["rules", "list", "--json"]) == 0
    listed = document(capsys)
    assert ([one["RuleId"] for one in listed["rules"]], listed["mutes"]) == (["gate"], {"all": None, "sources": {"gate-2": FAR}})


def test_mutes_are_neither_exported_nor_pruned_nor_shown_nor_deleted(deployed: Stack, capsys: Output, tmp_path: Path) -> None:
    deployed.put_item("WatchlistTable", GATE)
    put(deployed, Sources={"gate-2": FAR})
    assert main(["rules", "export"]) == 0
    exported = capsys.readouterr().out
    assert "mutes" not in exported
    (tmp_path / "rules.yaml").write_text(exported)
    assert main(["rules", "import", str(tmp_path / "rules.yaml"), "--prune", "--yes"]) == 0
    for command in (["show"], ["delete", "--yes"], ["enable"], ["export"]):
        assert main(["rules", command[0], "#mutes", *command[1:]]) == 1
        assert "there is no rule #mutes" in capsys.readouterr().err
    assert (set(watchlist(deployed)), stored(deployed).sources) == ({"gate", "#mutes"}, {"gate-2": FAR})


def test_mutes_use_no_channel_and_are_no_damaged_rule(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", GATE)
    put(deployed, Sources={"gate-2": FAR})
    image = sample_event("store_analysis")["Image"]
    match = {"RuleId": "gate", "Name": "Gate", "Matches": [], "Muted": f"muted until {FAR}: gate-2"}
    deployed.put_item("ImagesTable", {**image, "Status": "ANALYZED", "Labels": [], "MatchedRules": [match]})
    assert main(["alerts", "why", image["ImageId"], "--json"]) == 0
    answer = document(capsys)
    assert ([one["rule_id"] for one in answer["rules"]], answer["invalid_rules"]) == (["gate"], [])
    assert (answer["rules"][0]["outcome"], f"muted until {FAR}: gate-2" in answer["rules"][0]["reason"]) == ("MUTED", True)
    from uploader.aws.session import Deployment
    from uploader.channels.channel_store import ChannelStore

    assert ChannelStore(Deployment("imagewatch", None, None, None).aws(), "imagewatch").rules() == {"email": ["gate"]}


# -------------------------------------------------------------------------------------------------------- digest-only rules


def test_every_new_picture_of_a_camera_as_a_digest(deployed: Stack, capsys: Output) -> None:
    assert main(["rules", "add", "New pictures", "--source", "gate-2", "--digest"]) == 0
    rule = watchlist(deployed)["new-pictures"]
    assert (rule["Delivery"], rule["Sources"]) == ("digest", ["gate-2"])
    assert "New pictures: every image" in capsys.readouterr().out
    assert main(["rules", "show", "new-pictures"]) == 0
    assert "Delivery: digest" in capsys.readouterr().out
    assert main(["rules", "list"]) == 0
    assert "email, in digests" in " ".join(capsys.readouterr().out.split())
    assert main(["rules", "export", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"][0]["Delivery"] == "digest"
    assert main(["rules", "edit", "new-pictures", "--no-digest"]) == 0
    assert "Delivery" not in watchlist(deployed)["new-pictures"]


def test_a_digest_excludes_a_cooldown(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {**GATE, "Cooldown": {"Seconds": 60, "PerSource": False}})
    assert main(["rules", "edit", "gate", "--digest"]) == 2
    assert "Cooldown must be left out, or Delivery must be immediate" in " ".join(capsys.readouterr().err.split())
    assert main(["rules", "edit", "gate", "--digest", "--cooldown", "0"]) == 0
    assert watchlist(deployed)["gate"]["Delivery"] == "digest"
