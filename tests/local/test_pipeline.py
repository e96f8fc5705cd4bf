"""The real workflow on the local stack, end to end through HTTP, for each ending of an image."""

from __future__ import annotations

import io
import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagewatch.aws.dynamodb import from_item
from tests.index_rows import StoredRow, stored_rows

from .pipeline import Pipeline

SAMPLES = Path(__file__).parents[2] / "samples"


def portrait() -> bytes:
    return (SAMPLES / "astronaut-portrait.jpg").read_bytes()


def plain(colour: str = "navy") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def test_an_image_without_an_alert_enters_eight_states_and_ends_analyzed(pipeline: Pipeline) -> None:
    record = pipeline.ended(pipeline.upload(plain()))

    assert record["Status"] == "ANALYZED"
    assert record["Moderation"]["Status"] == "NOT_CHECKED"  # the embedded engine has no moderation model
    states = pipeline.states(record)
    assert len(states) <= 8, states
    assert (states[0], states[-1]) == ("Validate Image", "Analyzed")
    assert record["ExecutionArn"] in record["ExecutionUrl"]


def test_a_match_sends_one_alert_with_label_confidence_and_image(pipeline: Pipeline) -> None:
    pipeline.watch("person")
    key = pipeline.upload(portrait(), "gate.jpg")
    record = pipeline.ended(key)

    assert len(pipeline.states(record)) <= 9
    assert [rule["Name"] for rule in record["MatchedRules"]] == ["Looking for person"]
    (mail,) = pipeline.mail_about(key)
    assert set(mail) == {"to", "subject", "body", "at"}
    assert mail["subject"].startswith("Looking for person: person (Face) ")
    assert f"/images/{record['ImageId']}" in mail["body"]
    (alert,) = alerts_of(pipeline, record)
    assert alert["Status"] == "SENT"


def alerts_of(pipeline: Pipeline, record: dict[str, Any]) -> list[dict[str, Any]]:
    items = pipeline.stack.client("dynamodb").scan(TableName=pipeline.outputs["AlertsTableName"])["Items"]
    return [alert for alert in map(from_item, items) if alert.get("ImageId") == record["ImageId"]]


def test_labels_can_be_looked_up_in_the_index(pipeline: Pipeline) -> None:
    record = pipeline.ended(pipeline.upload(portrait()))
    rows = pipeline.stack.client("dynamodb").query(
        TableName=pipeline.outputs["SearchIndexTableName"],
        KeyConditionExpression="Posting = :posting",
        ExpressionAttributeValues={":posting": {"S": "operators|time|label:person"}},
    )["Items"]
    assert record["ImageId"] in {row.image_id for row in stored_rows(map(from_item, rows))}


def test_a_file_that_is_not_an_image_is_rejected_with_a_reason(pipeline: Pipeline) -> None:
    record = pipeline.ended(pipeline.upload(b"milk, eggs, bread", "list.jpg"))

    assert (record["Status"], record["Reason"][:24]) == ("REJECTED", "It is text, not an image")
    assert pipeline.states(record) == ["Validate Image", "Record Rejection", "Rejected"]
    assert pipeline.execution(record)["status"] == "SUCCEEDED"


def test_a_format_that_rekognition_does_not_read_is_converted(pipeline: Pipeline) -> None:
    record = pipeline.ended(pipeline.upload((SAMPLES / "coffee-cup.webp").read_bytes(), "coffee.webp"))
    assert (record["Status"], record["Format"]) == ("ANALYZED", "WebP")
    assert record["Conversion"] == "A JPEG copy was analysed: Rekognition does not read WebP."


def test_a_throttled_call_is_retried(pipeline: Pipeline) -> None:
    throttle = "ProvisionedThroughputExceededException"
    pipeline.fault(service="rekognition", operation="DetectLabels", error=throttle, count=3)
    record = pipeline.ended(pipeline.upload(portrait()))

    assert record["Status"] == "ANALYZED"
    assert record["Labels"]
    events = pipeline.stack.client("stepfunctions").get_execution_history(executionArn=record["ExecutionArn"])["events"]
    failures = [e["lambdaFunctionFailedEventDetails"] for e in events if "lambdaFunctionFailedEventDetails" in e]
    assert {failure["error"] for failure in failures} == {"Throttled"}


def test_without_moderation_the_labels_are_kept_and_the_record_says_so(pipeline: Pipeline) -> None:
    pipeline.fault(service="rekognition", operation="DetectModerationLabels", error="AccessDeniedException", rate=1)
    record = pipeline.ended(pipeline.upload(portrait()))

    assert record["Status"] == "ANALYZED"
    assert record["Labels"]
    assert record["Moderation"]["Status"] == "NOT_CHECKED"
    assert record["Moderation"]["Reason"].startswith("Moderation could not be checked: ")
    assert "Moderation Unavailable" in pipeline.states(record)


def test_without_labels_the_image_fails_with_a_reason(pipeline: Pipeline) -> None:
    pipeline.fault(service="rekognition", operation="DetectLabels", error="AccessDeniedException", rate=1)
    record = pipeline.ended(pipeline.upload(portrait()))

    assert record["Status"] == "FAILED"
    assert record["Reason"].startswith("Labels could not be detected: ")
    execution = pipeline.execution(record)
    assert (execution["status"], execution["error"], execution["cause"]) == ("FAILED", "AnalysisIncomplete", record["Reason"])


def test_a_function_that_crashes_once_is_retried(pipeline: Pipeline) -> None:
    pipeline.fault(service="lambda", operation="Invoke", error="Crash", count=1, match=pipeline.function("StoreAnalysis"))
    record = pipeline.ended(pipeline.upload(portrait()))
    assert record["Status"] == "ANALYZED"
    assert pipeline.states(record).count("Store Analysis") == 1  # a retry is not a new state


def test_a_function_that_always_crashes_fails_the_image_with_a_reason(pipeline: Pipeline) -> None:
    crash = {"service": "lambda", "operation": "Invoke", "error": "Crash", "rate": 1}
    pipeline.fault(**crash, match=pipeline.function("StoreAnalysis"))
    record = pipeline.ended(pipeline.upload(portrait()), seconds=90)
    assert record["Status"] == "FAILED"
    assert "process ended unexpectedly" in record["Reason"]


def test_an_execution_that_is_stopped_by_hand_is_recorded(pipeline: Pipeline) -> None:
    pipeline.fault(service="rekognition", operation="DetectLabels", error="ThrottlingException", rate=1)
    key = pipeline.upload(portrait())
    pipeline.eventually(lambda: pipeline.record(key) is not None, "no record")
    record = pipeline.record(key)
    assert record is not None
    sfn = pipeline.stack.client("stepfunctions")
    pipeline.eventually(lambda: "Detect Labels" in pipeline.states(record), "Detect Labels was not entered")
    sfn.stop_execution(executionArn=record["ExecutionArn"], error="Operator", cause="wrong camera")

    stopped = pipeline.ended(key)
    assert (stopped["Status"], stopped["Reason"]) == ("FAILED", "The analysis was stopped manually: wrong camera.")


def test_an_overwritten_image_shows_its_newest_version_only(pipeline: Pipeline) -> None:
    pipeline.watch("person")
    key = pipeline.upload(portrait())
    first = pipeline.ended(key)
    answer = pipeline.stack.client("s3").put_object(Bucket=pipeline.bucket, Key=key, Body=plain())
    pipeline.eventually(lambda: (pipeline.record(key) or {}).get("VersionId") == answer["VersionId"], "not overwritten")
    second = pipeline.ended(key)

    assert first["Labels"]
    assert second["Labels"] == []
    # One row each for what the newest version is found by, and none for the labels of the other.
    assert sorted(row.term for row in rows_of(pipeline, second["ImageId"])) == ["all", f"source:{second['Source']}"]
    assert renditions_of(pipeline, second["ImageId"]) == [second["Thumbnail"]]


def test_a_removed_image_leaves_nothing_behind(pipeline: Pipeline) -> None:
    key = pipeline.upload(portrait())
    record = pipeline.ended(key)
    pipeline.stack.client("s3").delete_object(Bucket=pipeline.bucket, Key=key)

    pipeline.eventually(lambda: pipeline.record(key) is None, "the record stayed")
    assert rows_of(pipeline, record["ImageId"]) == []
    assert renditions_of(pipeline, record["ImageId"]) == []


def rows_of(pipeline: Pipeline, identity: str) -> list[StoredRow]:
    pages = pipeline.stack.client("dynamodb").get_paginator("scan").paginate(TableName=pipeline.outputs["SearchIndexTableName"])
    rows = stored_rows(from_item(item) for page in pages for item in page["Items"])
    return [row for row in rows if row.image_id == identity]


def renditions_of(pipeline: Pipeline, identity: str) -> list[str]:
    listed = pipeline.stack.client("s3").list_objects_v2(
        Bucket=pipeline.outputs["RenditionsBucketName"], Prefix=f"thumbnails/{identity}/"
    )
    return [entry["Key"] for entry in listed.get("Contents", [])]


@pytest.mark.parametrize(
    "name",
    [
        "a+b c%20d#?&=.JPG",
        "caf\u00e9 \U0001f600.jpg",
        "cafe\u0301.jpg",
        "..dots..jpg",
        "/leading slash.jpg",
        pytest.param("\u00fc" * 501 + "x.jpg", id="1,024 bytes"),
    ],
)
def test_difficult_names_are_kept_unchanged(pipeline: Pipeline, name: str) -> None:
    key = pipeline.upload(plain(), name)
    record = pipeline.ended(key)
    assert (record["Status"], record["Key"]) == ("ANALYZED", key)
    assert len(key.encode()) == 1024 or len(name) < 100


def test_a_key_with_two_adjacent_slashes_is_kept_unchanged(pipeline: Pipeline) -> None:
    key = f"uploads//{uuid.uuid4().hex}.jpg"
    pipeline.stack.client("s3").put_object(Bucket=pipeline.bucket, Key=key, Body=plain())
    record = pipeline.ended(key)
    assert (record["Status"], record["Key"], record["Source"]) == ("ANALYZED", key, "uploads")


def test_a_message_that_cannot_be_read_ends_in_the_dead_letter_queue(pipeline: Pipeline) -> None:
    sqs = pipeline.stack.client("sqs")
    intake, dead = pipeline.outputs["IntakeQueueUrl"], pipeline.outputs["DeadLetterQueueUrl"]
    sqs.set_queue_attributes(QueueUrl=intake, Attributes={"VisibilityTimeout": "1"})
    time.sleep(3)  # a running poll still uses the old visibility timeout
    try:
        sqs.send_message(QueueUrl=intake, MessageBody="this is not JSON")
        sqs.send_message(QueueUrl=intake, MessageBody=json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))

        def dead_letters() -> int:
            answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
            return int(answer["Attributes"]["ApproximateNumberOfMessages"])

        pipeline.eventually(lambda: dead_letters() == 1, "the unreadable message is not in the dead-letter queue", 90)
    finally:
        sqs.set_queue_attributes(QueueUrl=intake, Attributes={"VisibilityTimeout": "360"})
