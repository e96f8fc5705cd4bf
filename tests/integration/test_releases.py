"""The payload law: executions of an earlier release run on with its definition, and call today's functions.

Each folder of tests/releases/ has the definitions and payloads of one release. It stays until no execution of that release can
run any more: half an hour for the analysis of an image, seven days for a backfill. Source: Step Functions API reference,
UpdateStateMachine ("Running executions will continue to use the previous definition").
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from imagewatch.errors import ImagewatchError

from .conftest import ROOT, Event, Stack, sample_event
from .rehearsal import LABELS, RULES, Rehearsal

RELEASES = sorted(path for path in (ROOT / "tests" / "releases").iterdir() if path.is_dir())
PAYLOADS = [path for release in RELEASES for path in sorted((release / "events").glob("*.json"))]


@pytest.fixture
def cloud(stack: Stack, quick_moto: None) -> Rehearsal:
    for rule_id, term in RULES.items():
        rule = {"RuleId": rule_id, "Name": rule_id.title(), "Enabled": True, "Terms": [{"Term": term, "MinConfidence": 50}]}
        stack.put_item("WatchlistTable", rule)
    return Rehearsal(stack)


def test_there_is_a_release() -> None:
    assert RELEASES
    assert PAYLOADS


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
@pytest.mark.parametrize(("picture", "status"), [("green", "ANALYZED"), ("red, converted", "ANALYZED"), ("text", "REJECTED")])
def test_an_execution_of_a_release_runs_to_its_end(cloud: Rehearsal, release: Path, picture: str, status: str) -> None:
    cloud.workflow = json.loads((release / "analyze_image.asl.json").read_text(encoding="utf-8"))
    cloud.put("uploads/a.jpg", picture)
    cloud.drain()
    (record,) = cloud.stack.items("ImagesTable")
    assert record["Status"] == status
    found = LABELS.get(picture.partition(",")[0], [])
    assert {rule["RuleId"] for rule in record["MatchedRules"]} == {rule for rule, term in RULES.items() if term in found}
    assert {alert["Status"] for alert in cloud.stack.items("AlertsTable")} <= {"SENT"}
    assert bool(cloud.stack.items("AlertsTable")) == (status == "ANALYZED")


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: f"{path.parent.parent.name} {path.stem}")
def test_a_function_understands_the_payload_of_a_release(cloud: Rehearsal, path: Path) -> None:
    """An image that isn't there, or a rule, is an answer; a field that isn't found is a break of the law."""
    event: Event = json.loads(path.read_text(encoding="utf-8"))
    function = "".join(word.capitalize() for word in path.stem.split("_"))
    try:
        answer = cloud.invoke(function, event)
    except (ImagewatchError, ClientError) as error:
        assert not isinstance(error.__cause__, KeyError | TypeError | AttributeError)
    else:
        assert isinstance(answer, dict)


def test_a_payload_without_a_field_is_not_understood(cloud: Rehearsal) -> None:
    event = sample_event("record_failure")
    with pytest.raises(KeyError):
        cloud.invoke("RecordFailure", {name: value for name, value in event.items() if name != "Error"})
