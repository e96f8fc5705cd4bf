"""Api Images: each viewer searches, sees and deletes their own images; operators all of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from imagewatch import timestamps
from imagewatch.aws import cursor_secret, stepfunctions
from tests.api_events import OTHER_SUB, SUB, claims

from .api import OPERATORS, Reply, call
from .api_images import Image, add_count, analysed, label
from .conftest import Stack

MINE, THEIRS, CAMERAS = f"people/{SUB}/aa/mine.jpg", f"people/{OTHER_SUB}/aa/theirs.jpg", "uploads/gate/camera.jpg"
RULE = {"RuleId": "secret-rule", "Name": "Secret", "Severity": "warning", "Matches": [], "RuleVersion": 1}


@pytest.fixture(autouse=True)
def fresh_secret() -> None:
    """The key of the cursors belongs to the table of one test."""
    cursor_secret.read.cache_clear()


@pytest.fixture
def images(stack: Stack) -> dict[str, Image]:
    """An image of the person, one of another person, and one of a camera."""
    found = {
        "mine": analysed(stack, MINE, label("Person", 99.5), label("Car", 61.0), minute=1),
        "theirs": analysed(stack, THEIRS, label("Person", 90.0), minute=2),
        "camera": analysed(stack, CAMERAS, label("Car", 88.0), label("Truck", 45.0), minute=3),
    }
    for image in found.values():
        record = stack.record(image["ImageId"])
        stack.put_item("ImagesTable", {**(record or {}), "MatchedRules": [RULE]})
    return found


def keys(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.body
    return [image["Key"] for image in reply.body["Images"]]


def ask(stack: Stack, user: Any = None, **query: Any) -> Reply:
    return call(stack, "GET", "/images", query, user=user)


# -------------------------------------------------------------------------------------------------------------- search


def test_a_person_finds_their_own_images_and_an_operator_all(stack: Stack, images: dict[str, Image]) -> None:
    assert keys(ask(stack)) == [MINE]
    assert keys(ask(stack, claims(OTHER_SUB))) == [THEIRS]
    assert keys(ask(stack, OPERATORS)) == [CAMERAS, THEIRS, MINE]
    assert keys(ask(stack, claims("dddddddd-0000-4000-8000-000000000000"))) == []


def test_a_query_speaks_the_grammar_of_search(stack: Stack, images: dict[str, Image]) -> None:
    assert keys(ask(stack, OPERATORS, q="car")) == [CAMERAS, MINE]
    assert keys(ask(stack, OPERATORS, q="car and not person")) == [CAMERAS]
    assert (
        keys(ask(stack, OPERATORS, q="car sort:oldest")) == keys(ask(stack, OPERATORS, q="car", sort="oldest")) == [MINE, CAMERAS]
    )
    assert keys(ask(stack, OPERATORS, q="car", sort="confidence")) == [CAMERAS, MINE]
    assert keys(ask(stack, OPERATORS, q="source:gate")) == [CAMERAS]


def test_a_card_shows_what_made_it_match_and_the_labels_from_the_confidence_up(stack: Stack, images: dict[str, Image]) -> None:
    reply = ask(stack, q="car", min_confidence="60")
    (card,) = reply.body["Images"]
    assert card["Found"] == [{"Field": "label", "Name": "Car", "Confidence": 61.0}]
    assert [one["Name"] for one in card["Labels"]] == ["Person", "Car"]
    hidden = ask(stack, q="car", min_confidence="70")
    assert (hidden.body["Images"], hidden.body["Hidden"]) == ([], 1)
    assert "Secret" not in json.dumps(reply.body)


def test_pages_follow_each_other_by_a_cursor_that_belongs_to_one_viewer_and_query(stack: Stack, images: dict[str, Image]) -> None:
    first = ask(stack, OPERATORS, limit=2)
    assert keys(first) == [CAMERAS, THEIRS]
    cursor = first.body["NextCursor"]
    last = ask(stack, OPERATORS, limit=2, cursor=cursor)
    assert keys(last) == [MINE]
    assert "NextCursor" not in last.body
    for user, query in ((None, {}), (OPERATORS, {"q": "car"}), (OPERATORS, {"min_confidence": 5})):
        refused = ask(stack, user, limit=2, cursor=cursor, **query)
        assert (refused.status, refused.pointers) == (400, ["cursor"])
    assert images["mine"]["ImageId"] not in cursor


@pytest.mark.parametrize(
    ("query", "position"),
    [("car and", 4), ("(car", 0), ("person:200", 7), ("colour:red", 0), ("car sort:oldest sort:newest", 16)],
)
def test_a_mistake_in_a_query_is_refused_with_its_position(stack: Stack, query: str, position: int) -> None:
    reply = ask(stack, q=query)
    assert (reply.status, reply.pointers) == (400, ["q"])
    assert reply.body["errors"][0]["position"] == position


def test_an_order_in_the_query_and_beside_it_is_refused(stack: Stack) -> None:
    assert ask(stack, q="car sort:oldest", sort="newest").status == 400


@pytest.mark.parametrize("query", ["rule:secret-rule", "car or not rule:secret-rule", 'RULE:"Secret"'])
def test_a_person_learns_nothing_about_rules(stack: Stack, images: dict[str, Image], query: str) -> None:
    reply = ask(stack, q=query)
    assert (reply.status, reply.pointers) == (400, ["q"])
    assert ask(stack, OPERATORS, q=query).status == 200
    add_count(stack, SUB, "rule:secret", "Secret", 1)
    assert ask(stack, q="secret").body["Unknown"] == [{"Term": "secret", "Suggestions": []}]
    add_count(stack, "operators", "rule:secret", "Secret", 1)
    assert ask(stack, OPERATORS, q="secret").body["Unknown"] == [{"Term": "secret", "Suggestions": ["rule:secret"]}]


def test_days_count_the_viewers_images(stack: Stack) -> None:
    add_count(stack, SUB, "day:2026-11-20", "2026-11-20", 2)
    add_count(stack, SUB, "day:2026-11-22", "2026-11-22", 1)
    add_count(stack, "operators", "day:2026-11-20", "2026-11-20", 9)
    everything = [{"Day": "2026-11-22", "Images": 1}, {"Day": "2026-11-20", "Images": 2}]
    assert call(stack, "GET", "/images/days").body == {"Days": everything}
    assert call(stack, "GET", "/images/days", {"until": "2026-11-21"}).body == {"Days": everything[1:]}
    assert call(stack, "GET", "/images/days", {"since": "2026-11-21"}).body == {"Days": everything[:1]}
    assert call(stack, "GET", "/images/days", user=OPERATORS).body == {"Days": [{"Day": "2026-11-20", "Images": 9}]}


# ----------------------------------------------------------------------------------------------------------- one image


def show(stack: Stack, image: Image, user: Any = None, **query: Any) -> Reply:
    return call(stack, "GET", f"/images/{image['ImageId']}", query, user=user)


def test_an_image_shows_its_findings_from_the_confidence_up_and_counts_the_others(stack: Stack, images: dict[str, Image]) -> None:
    whole = show(stack, images["mine"]).body
    assert [one["Name"] for one in whole["Labels"]] == ["Person", "Car"]
    assert whole["Hidden"] == {"Labels": 0, "Moderation": 0, "Text": 0}
    part = show(stack, images["mine"], min_confidence="61.5").body
    assert [one["Name"] for one in part["Labels"]] == ["Person"]
    assert part["Hidden"] == {"Labels": 1, "Moderation": 0, "Text": 0}


def test_rules_and_executions_are_shown_to_operators_only(stack: Stack, images: dict[str, Image]) -> None:
    mine, theirs = show(stack, images["mine"]).body, show(stack, images["mine"], OPERATORS).body
    assert theirs["MatchedRules"] == [RULE]
    assert theirs["ExecutionArn"]
    assert "Secret" not in json.dumps(mine)
    assert not {"MatchedRules", "ExecutionArn"} & mine.keys()


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("GET", "/trace"), ("DELETE", ""), ("POST", "/reanalyze")])
def test_another_persons_image_looks_like_one_that_does_not_exist(
    stack: Stack, images: dict[str, Image], method: str, end: str
) -> None:
    bodies = []
    for image_id in (images["theirs"]["ImageId"], images["camera"]["ImageId"], "f" * 32):
        reply = call(stack, method, f"/images/{image_id}{end}")
        assert reply.status == 404
        bodies.append({**reply.body, "detail": reply.body["detail"].replace(image_id, "ID")})
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(stack.items("ImagesTable")) == 3


def test_links_lead_to_the_files_and_a_thumbnails_is_the_same_for_an_hour(
    stack: Stack, images: dict[str, Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = timestamps.moment("2026-11-20T10:00:00Z")
    found = []
    for minute in (0, 59, 60):
        monkeypatch.setattr(timestamps, "now", lambda minute=minute: (hour + minute * 60_000) * 1000)
        found.append(show(stack, images["mine"]).body["Links"])
    assert found[0] == found[1] != found[2]
    thumbnail, original = urlsplit(found[0]["Thumbnail"]), urlsplit(found[0]["Original"])
    query = parse_qs(thumbnail.query)
    assert (query["X-Amz-Date"], query["X-Amz-Expires"]) == (["20261120T100000Z"], ["7200"])
    assert (
        thumbnail.path
        == f"/thumbnails/{images['mine']['ImageId']}/{stack.record(images['mine']['ImageId'])['Thumbnail'].rpartition('/')[2]}"
    )  # type: ignore[index]
    assert thumbnail.hostname == f"{stack.name('RenditionsBucket')}.s3.amazonaws.com"
    assert original.path == f"/{MINE}"
    assert parse_qs(original.query)["versionId"] == [images["mine"]["VersionId"]]
    assert parse_qs(original.query)["response-content-disposition"] == ["attachment"]


def test_a_link_has_a_valid_signature(stack: Stack, images: dict[str, Image]) -> None:
    """Computed as the S3 API reference describes it, "Authenticating Requests: Using Query Parameters"."""
    for link in show(stack, images["mine"]).body["Links"].values():
        url = urlsplit(link)
        signed, _, signature = url.query.partition("&X-Amz-Signature=")
        canonical = f"GET\n{url.path}\n{'&'.join(sorted(signed.split('&')))}\nhost:{url.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
        (moment,) = parse_qs(signed)["X-Amz-Date"]
        scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{boto3.Session().get_credentials().secret_key}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        assert signature == key.hex()


def test_the_pictures_of_alerts_are_linked_for_operators_only(stack: Stack, images: dict[str, Image]) -> None:
    record = stack.record(images["mine"]["ImageId"]) or {}
    record["Stored"][0]["Renditions"].append(f"annotated/{images['mine']['ImageId']}/lease/secret-rule.jpg")
    stack.put_item("ImagesTable", record)
    (annotated,) = show(stack, images["mine"], OPERATORS).body["Links"]["Annotated"]
    assert annotated["RuleId"] == "secret-rule"
    assert "Annotated" not in show(stack, images["mine"]).body["Links"]


def test_a_trace_has_the_states_and_their_values_for_operators(
    stack: Stack, images: dict[str, Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = stack.client("stepfunctions").start_execution(
        stateMachineArn=stack.name("AnalyzeImageStateMachine"), name="run", input=json.dumps({"image": images["mine"]})
    )["executionArn"]
    stack.put_item("ImagesTable", {**(stack.record(images["mine"]["ImageId"]) or {}), "ExecutionArn": arn})
    events = [
        {"id": 1, "previousEventId": 0, "type": "TaskStateEntered", "timestamp": _at(0), "stateEnteredEventDetails": {"name": "Validate Image", "input": "x" * 30_000}},  # noqa: E501
        {"id": 2, "previousEventId": 1, "type": "TaskScheduled", "timestamp": _at(1)},
        {"id": 3, "previousEventId": 2, "type": "TaskFailed", "timestamp": _at(2), "taskFailedEventDetails": {"error": "Throttled", "cause": json.dumps({"errorMessage": "Too many calls.", "stackTrace": ["line 1"]})}},  # noqa: E501
        {"id": 4, "previousEventId": 3, "type": "TaskScheduled", "timestamp": _at(3)},
        {"id": 5, "previousEventId": 4, "type": "TaskStateExited", "timestamp": _at(4), "stateExitedEventDetails": {"name": "Validate Image", "output": "{}"}},  # noqa: E501
    ]  # fmt: skip
    described = stack.client("stepfunctions").describe_execution(executionArn=arn)
    monkeypatch.setattr(stepfunctions, "history", lambda asked: (described, events) if asked == arn else None)
    mine = call(stack, "GET", f"/images/{images['mine']['ImageId']}/trace").body
    (step,) = mine["Steps"]
    assert (step["State"], step["Status"], len(step["Attempts"])) == ("Validate Image", "SUCCEEDED", 2)
    assert (step["Attempts"][0]["Error"], step["Attempts"][0]["Cause"]) == ("Throttled", "Too many calls.")
    assert not {"Input", "Output"} & step.keys()
    (step,) = call(stack, "GET", f"/images/{images['mine']['ImageId']}/trace", user=OPERATORS).body["Steps"]
    assert (len(step["Input"]), step["InputTruncated"], step["Output"]) == (20_000, True, "{}")
    monkeypatch.setattr(stepfunctions, "history", lambda _: None)
    assert call(stack, "GET", f"/images/{images['mine']['ImageId']}/trace").status == 404


def _at(second: int) -> Any:
    return datetime(2026, 11, 20, 9, 30, second, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------------ deletion


def versions(stack: Stack, key: str) -> list[dict[str, Any]]:
    page = stack.client("s3").list_object_versions(Bucket=stack.name("ImagesBucket"), Prefix=key)
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def rows_of(stack: Stack, image_id: str) -> list[Any]:
    return [item for item in stack.items("SearchIndexTable") if f"#{image_id}#" in item["Position"]]


def test_a_deletion_removes_every_version_the_renditions_the_rows_and_the_record(stack: Stack, images: dict[str, Image]) -> None:
    image_id, s3, bucket = images["mine"]["ImageId"], stack.client("s3"), stack.name("ImagesBucket")
    s3.put_object(Bucket=bucket, Key=MINE, Body=b"newer")
    s3.delete_object(Bucket=bucket, Key=MINE)
    s3.put_object(Bucket=bucket, Key=f"{MINE}.jpg", Body=b"a longer key")
    rows = rows_of(stack, image_id)
    assert len(versions(stack, MINE)) == 4
    assert rows
    deleted = call(stack, "DELETE", f"/images/{image_id}").body
    assert (deleted["ImageId"], deleted["Versions"], deleted["Record"]) == (image_id, 3, True)
    assert deleted["IndexRows"] == len(rows)
    assert any(key.startswith(f"thumbnails/{image_id}/") for key in deleted["Renditions"])
    assert [one["Key"] for one in versions(stack, MINE)] == [f"{MINE}.jpg"]
    assert not any(image_id in key for key in stack.keys("RenditionsBucket"))
    assert rows_of(stack, image_id) == []
    assert stack.record(image_id) is None
    assert call(stack, "DELETE", f"/images/{image_id}").status == 404
    assert len(stack.items("ImagesTable")) == 2


def test_several_images_are_deleted_and_those_of_others_are_not_found(stack: Stack, images: dict[str, Image]) -> None:
    ids = [images[name]["ImageId"] for name in ("theirs", "mine", "camera")]
    answer = call(stack, "DELETE", "/images", {"id": [*ids, "f" * 32]}).body
    assert [one["ImageId"] for one in answer["Deleted"]] == [ids[1]]
    assert answer["NotFound"] == [ids[0], ids[2], "f" * 32]
    assert answer["NotDeleted"] == []
    assert {record["ImageId"] for record in stack.items("ImagesTable")} == {ids[0], ids[2]}
    everything = call(stack, "DELETE", "/images", {"id": ids}, user=OPERATORS).body
    assert {one["ImageId"] for one in everything["Deleted"]} == {ids[0], ids[2]}


# ------------------------------------------------------------------------------------------------------- re-analysis


def test_another_analysis_has_a_price_and_starts_once(stack: Stack, images: dict[str, Image]) -> None:
    path = f"/images/{images['mine']['ImageId']}/reanalyze"
    price = call(stack, "POST", path, {"dry_run": "true"})
    assert (price.status, price.body["Started"]) == (202, False)
    assert (price.body["RekognitionCalls"], price.body["PriceUsd"]) == (2, 0.002)
    assert stack.record(images["mine"]["ImageId"])["Status"] == "ANALYZED"  # type: ignore[index]
    started = call(stack, "POST", path)
    assert (started.status, started.body["Started"]) == (202, True)
    assert stack.record(images["mine"]["ImageId"])["Status"] == "ANALYZING"  # type: ignore[index]
    assert call(stack, "POST", path).status == 409
    machine = stack.name("AnalyzeImageStateMachine")
    assert len(stack.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]) == 1


def test_an_image_whose_file_has_changed_is_not_analysed_again(stack: Stack, images: dict[str, Image]) -> None:
    stack.client("s3").put_object(Bucket=stack.name("ImagesBucket"), Key=MINE, Body=b"newer")
    assert call(stack, "POST", f"/images/{images['mine']['ImageId']}/reanalyze").status == 409
