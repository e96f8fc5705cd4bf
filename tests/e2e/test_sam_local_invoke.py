"""Runs each function in SAM's container on its sample event, with the local stack in place of AWS.

The tests check each function's result and what it leaves in the stack.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagewatch.alerts.alert import QUEUED, Alert, Delivery
from imagewatch.aws.dynamodb import to_item
from imagewatch.images.version import ImageVersion, comparable_sequencer
from imagewatch.rules.matched_rule import MatchedRule
from tests.local.pipeline import Pipeline
from tests.local.running_stack import RunningStack

from .conftest import ROOT, Build, SamLocal

pytestmark = pytest.mark.container

KEY = "uploads/samples/astronaut-portrait.jpg"  # the sample events name it


@pytest.fixture(scope="module")
def pipeline(reachable_stack: RunningStack) -> Pipeline:
    """The stack with the portrait in its bucket, analysed once by its own workers."""
    pipeline = Pipeline(reachable_stack)
    pipeline.watch("person")
    body = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
    reachable_stack.client("s3").put_object(Bucket=pipeline.bucket, Key=KEY, Body=body)
    pipeline.ended(KEY)
    return pipeline


@pytest.fixture(scope="module")
def announced(sam: SamLocal, pipeline: Pipeline) -> Any:
    """Start Analysis' result for the event of a newer version of the portrait. Its execution has ended."""
    answer = sam.invoke("StartAnalysisFunction", "start_analysis")
    pipeline.ended(KEY)
    return answer


@pytest.fixture
def analysing(announced: Any, pipeline: Pipeline) -> None:
    """Writes the portrait's record as the sample events' execution finds it: ANALYZING and leased by it."""
    image = json.loads((ROOT / "events" / "validate_image.json").read_text())["Image"]
    record = {**record_of(pipeline), "Lease": "", **image, "Status": "ANALYZING"}
    pipeline.stack.client("dynamodb").put_item(TableName=pipeline.outputs["ImagesTableName"], Item=to_item(record))


def record_of(pipeline: Pipeline) -> dict[str, Any]:
    record = pipeline.record(KEY)
    assert record is not None
    return record


def test_start_analysis_starts_the_execution_of_the_announced_version(announced: Any, pipeline: Pipeline) -> None:
    assert announced == {"batchItemFailures": []}
    record = record_of(pipeline)
    assert record["Sequencer"].startswith("0065A1B2C3D4E5F601")
    assert record["Status"] == "ANALYZED"
    assert record["ExecutionArn"].split(":")[-1].startswith("astronaut-portrait-jpg-")


def test_validate_image_returns_format_and_size_and_writes_the_thumbnail(
    sam: SamLocal, analysing: None, pipeline: Pipeline
) -> None:
    bucket, s3 = pipeline.outputs["RenditionsBucketName"], pipeline.stack.client("s3")
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"])

    result = sam.invoke("ValidateImageFunction", "validate_image")

    assert result["Object"] == {"Bucket": pipeline.bucket, "Key": KEY, "VersionId": ""}
    assert (result["Record"]["Format"], result["Record"]["Width"], result["Record"]["Height"]) == ("JPEG", 512, 512)
    assert s3.get_object(Bucket=bucket, Key=result["Record"]["Thumbnail"])["Body"].read().startswith(b"\xff\xd8")


def test_detect_labels_finds_the_person(sam: SamLocal, analysing: None) -> None:
    result = sam.invoke("DetectLabelsFunction", "detect_labels")

    (person,) = [label for label in result["Labels"] if label["Name"] == "Person"]
    assert person["Confidence"] > 90
    assert person["Instances"][0]["BoundingBox"].keys() == {"Left", "Top", "Width", "Height"}
    assert result["ModelVersion"]


def test_detect_moderation_reports_that_nothing_was_checked(sam: SamLocal, analysing: None) -> None:
    result = sam.invoke("DetectModerationFunction", "detect_moderation")

    assert (result["Status"], result["Labels"]) == ("NOT_CHECKED", [])
    assert result["Reason"].endswith(".")


def test_detect_text_returns_the_text(sam: SamLocal, analysing: None) -> None:
    assert sam.invoke("DetectTextFunction", "detect_text").keys() == {"Text", "ModelVersion"}


def test_store_analysis_writes_the_record(sam: SamLocal, analysing: None, pipeline: Pipeline) -> None:
    result = sam.invoke("StoreAnalysisFunction", "store_analysis")

    assert result["Stored"] is True
    record = record_of(pipeline)
    assert record["Status"] == "ANALYZED"
    assert [float(label["Confidence"]) for label in record["Labels"]] == [99.12, 97.3, 97.3]  # the event's, not the engine's


def test_evaluate_watchlist_finds_the_matching_rule(sam: SamLocal, analysing: None) -> None:
    result = sam.invoke("EvaluateWatchlistFunction", "evaluate_watchlist")

    assert result["MatchCount"] == 1
    assert result["Rules"][0]["Name"] == "Looking for person"


def test_send_alert_sends_one_email_even_when_it_runs_twice(sam: SamLocal, analysing: None, pipeline: Pipeline) -> None:
    first = sam.invoke("SendAlertFunction", "send_alert")
    second = sam.invoke("SendAlertFunction", "send_alert")

    assert {outcome: number for outcome, number in first.items() if number} == {"Sent": 1}
    assert {outcome: number for outcome, number in second.items() if number} == {"SentBefore": 1}
    assert len([mail for mail in pipeline.mail_about(KEY) if mail["subject"].startswith("Person at the door")]) == 1


def test_send_digest_reports_queued_alerts(sam: SamLocal, analysing: None, pipeline: Pipeline) -> None:
    dynamodb, table = pipeline.stack.client("dynamodb"), pipeline.outputs["AlertsTableName"]
    matches = [{"Term": "person", "Label": "Person", "Confidence": 97, "Count": 1}]
    rule = {"RuleId": "waiting", "Name": "Waiting", "Severity": "info", "Channels": ["email"], "Matches": matches}
    image = ImageVersion(
        pipeline.bucket, KEY, "", "etag", comparable_sequencer("0065A1B2C3D4E5F601"), 1, "2026-11-20T09:29:58.000Z"
    )
    alert = Alert.of(image, MatchedRule.from_item(rule), "http://localhost/1")
    alert.created_at, alert.status = "2026-11-20T09:30:00.000Z", QUEUED
    alert.deliveries = {"email": Delivery(QUEUED, alert.created_at)}
    waiting = alert.to_item() | {"QueuedFor": "digest"}
    dynamodb.put_item(TableName=table, Item=to_item(waiting))

    result = sam.invoke("SendDigestFunction", "send_digest")

    assert (result["Digests"], result["Alerts"]) == (1, 1)
    assert [mail["subject"] for mail in pipeline.mail_about('1 match of "Waiting"')] == ["1 match of Waiting"]


def test_check_channels_reports_the_status_of_each_channel(sam: SamLocal, pipeline: Pipeline) -> None:
    result = sam.invoke("CheckChannelsFunction", "check_channels")

    assert [(channel["channel_id"], channel["status"]) for channel in result["Channels"]] == [("email", "ok")]


def test_evaluate_page_matches_stored_images_against_the_rule(sam: SamLocal, announced: Any, pipeline: Pipeline) -> None:
    rule = {"RuleId": "sample-person-at-the-door", "Name": "Person at the door", "Enabled": True}
    rule["AnyOf"] = [{"Term": "person", "MinConfidence": 50}]
    pipeline.stack.client("dynamodb").put_item(TableName=pipeline.outputs["WatchlistTableName"], Item=to_item(rule))

    result = sam.invoke("EvaluatePageFunction", "evaluate_page")

    assert (result["Done"], result["Pages"], result["Rule"]["RuleId"]) == (True, 1, "sample-person-at-the-door")


def test_record_alert_failure_writes_the_reason_and_the_image_stays_as_it_is(
    sam: SamLocal, analysing: None, pipeline: Pipeline
) -> None:
    result = sam.invoke("RecordAlertFailureFunction", "record_alert_failure")

    assert result["Recorded"] is True
    assert result["Reason"].startswith("An AWS service kept throttling requests")
    assert (record_of(pipeline)["Status"], record_of(pipeline)["AlertFailure"]) == ("ANALYZING", result["Reason"])


def test_record_rejection_writes_the_reason_to_the_record(sam: SamLocal, analysing: None, pipeline: Pipeline) -> None:
    result = sam.invoke("RecordRejectionFunction", "record_rejection")

    assert result["Status"] == "REJECTED"
    assert result["Reason"].startswith("The image is 60 x 60 pixels")
    assert (record_of(pipeline)["Status"], record_of(pipeline)["Reason"]) == ("REJECTED", result["Reason"])


def test_record_failure_writes_the_reason_to_the_record(sam: SamLocal, analysing: None, pipeline: Pipeline) -> None:
    result = sam.invoke("RecordFailureFunction", "record_failure")

    assert result["Reason"].startswith("An AWS service kept throttling requests")
    assert (record_of(pipeline)["Status"], record_of(pipeline)["Reason"]) == ("FAILED", result["Reason"])


def test_record_interruption_records_the_end_of_an_execution_without_a_catch(
    sam: SamLocal, analysing: None, pipeline: Pipeline
) -> None:
    result = sam.invoke("RecordInterruptionFunction", "record_interruption")

    assert result == {"Recorded": True}
    assert record_of(pipeline)["Status"] == "FAILED"
    assert record_of(pipeline)["Reason"].endswith(".")


def test_reconcile_images_finds_no_overdue_image(sam: SamLocal, pipeline: Pipeline) -> None:
    outcomes = sam.invoke("ReconcileImagesFunction", "reconcile_images")

    assert outcomes == {"Recorded": 0, "Waiting": 0, "GivenUp": 0, "Running": 0, "Unchanged": 0}


def test_check_sign_up_returns_the_triggers_event(sam: SamLocal) -> None:
    assert sam.invoke("CheckSignUpFunction", "check_sign_up") == json.loads((ROOT / "events" / "check_sign_up.json").read_text())


def test_the_api_prepares_an_upload(sam: SamLocal) -> None:
    result = sam.invoke("ApiUploadsFunction", "api_uploads")

    (upload,) = json.loads(result["body"])["Uploads"]
    assert upload["Form"]["Fields"]["key"].endswith("/astronaut-portrait.jpg")


def test_the_api_finds_the_portrait(sam: SamLocal, announced: Any) -> None:
    found = json.loads(sam.invoke("ApiImagesFunction", "api_images")["body"])["Images"]

    assert KEY in [image["Key"] for image in found]
    assert KEY in sam.invoke("ApiExportFunction", "api_export")["body"]


def test_the_api_answers_an_operators_requests(sam: SamLocal) -> None:
    assert "Labels" in json.loads(sam.invoke("ApiLabelsFunction", "api_labels")["body"])
    assert "Rules" in json.loads(sam.invoke("ApiWatchlistFunction", "api_watchlist")["body"])
    assert "Alerts" in json.loads(sam.invoke("ApiAlertsFunction", "api_alerts")["body"])
    assert "Channels" in json.loads(sam.invoke("ApiChannelsFunction", "api_channels")["body"])
    assert "Total" in json.loads(sam.invoke("ApiStatsFunction", "api_stats")["body"])


def test_the_api_knows_the_user_of_the_token(sam: SamLocal) -> None:
    token = json.loads((ROOT / "events" / "api_me.json").read_text())["requestContext"]["authorizer"]["jwt"]["claims"]

    assert json.loads(sam.invoke("ApiMeFunction", "api_me")["body"])["Sub"] == token["sub"]


def test_the_api_has_nothing_at_an_unknown_path(sam: SamLocal) -> None:
    assert sam.invoke("ApiRootFunction", "api_root")["statusCode"] == 404


def test_index_changes_counts_changed_images(sam: SamLocal, pipeline: Pipeline) -> None:
    assert set(sam.invoke("IndexChangesFunction", "index_changes")) <= {"Images", "Busy"}


def test_every_built_function_is_invoked_in_this_module(build: Build) -> None:
    source = Path(__file__).read_text()

    assert [function for function in build.functions if f'invoke("{function}"' not in source] == []
