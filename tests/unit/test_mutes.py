"""Mutes: until when, of which sources, and what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imagewatch.errors import InvalidRule
from imagewatch.rules.model import Rule
from imagewatch.rules.mutes import MUTES_ID, NO_MUTES, Mutes
from uploader.upload.image_records import Record
from uploader.upload.render_findings import rule_words

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER, EARLIER = "2026-11-20T12:00:00.001Z", "2026-11-20T12:00:00.000Z"


def test_no_rule_can_have_the_id_of_the_mutes() -> None:
    with pytest.raises(InvalidRule, match="RuleId must be"):
        Rule.from_item({"RuleId": MUTES_ID, "Name": "A", "AnyOf": [{"Term": "cat"}]})


@pytest.mark.parametrize(
    ("mutes", "reason"),
    [
        (NO_MUTES, None),
        (Mutes(sources={"gate-2": LATER}), f"muted until {LATER}: gate-2"),
        (Mutes(sources={"gate-2": EARLIER}), None),
        (Mutes(sources={"gate-1": LATER}), None),
        (Mutes(LATER), f"muted until {LATER}: all sources"),
        (Mutes(EARLIER), None),
        (Mutes(EARLIER, {"gate-2": LATER}), f"muted until {LATER}: gate-2"),
    ],
)
def test_a_mute_ends_at_its_moment(mutes: Mutes, reason: str | None) -> None:
    assert mutes.reason("gate-2", NOON) == reason


def test_expired_mutes_are_not_active() -> None:
    assert Mutes(EARLIER, {"a": EARLIER, "b": LATER}, 7).active(NOON) == Mutes("", {"b": LATER}, 7)
    assert Mutes(LATER).active(NOON + timedelta(seconds=1)) == NO_MUTES


@pytest.mark.parametrize("mutes", [Mutes("", {}, 1), Mutes(LATER, {"b": LATER, "a": LATER}, 4)])
def test_mutes_are_read_as_they_were_written(mutes: Mutes) -> None:
    assert Mutes.from_item(mutes.to_item()) == mutes


@pytest.mark.parametrize("damaged", [{"All": "tomorrow"}, {"All": 7}, {"Sources": {"a": None}}, {"Sources": ["a"]}])
def test_damaged_mutes_are_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(InvalidRule, match="The mutes: "):
        Mutes.from_item({"RuleId": MUTES_ID, **damaged})


def test_upload_says_of_a_muted_match_why() -> None:
    rule = {"RuleId": "a", "Name": "Night", "Muted": f"muted until {LATER}: gate-2"}
    assert rule_words(Record.from_item({"MatchedRules": [rule]})) == f"Night (muted until {LATER}: gate-2)"
