"""Start Analysis on moto: what each event on the queue does to the record and to the workflow."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.stub import Stubber

import start_analysis
from imagewatch import timestamps
from imagewatch.aws import clients, rate_limiter
from imagewatch.images.version import ImageVersion

from .conftest import CONTEXT, Event, Stack, sample_event


def s3_event(key: str, sequencer: str, *, name: str = "ObjectCreated:Put", version: str = "", size: int = 1000) -> Event:
    record = json.loads(sample_event("start_analysis")["Records"][0]["body"])["Records"][0]
    record["eventName"] = name
    record["s3"]["object"] = {"key": quote_plus(key), "sequencer": sequencer, "versionId": version, "eTag": f"etag-{version}"}
    if name.startswith("ObjectCreated"):
        record["s3"]["object"]["size"] = size
    return record


def messages(*bodies: Any) -> Event:
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {"Records": [{"messageId": f"m{n}", "body": text} for n, text in enumerate(texts)]}


def executions(stack: Stack) -> list[dict[str, Any]]:
    machine = stack.name("AnalyzeImageStateMachine")
    sfn = stack.client("stepfunctions")
    listed = sfn.list_executions(stateMachineArn=machine)["executions"]
    return [sfn.describe_execution(executionArn=execution["executionArn"]) for execution in listed]


def test_starts_one_execution_for_the_sample_event_and_shows_the_image_as_analyzing(stack: Stack) -> None:
    assert stack.handler("StartAnalysis")(sample_event("start_analysis")) == {"batchItemFailures": []}

    (execution,) = executions(stack)
    image = json.loads(execution["input"])["image"]
    record = stack.record(image["ImageId"])
    assert record is not None
    assert record["Status"] == "ANALYZING"
    assert record["ExecutionArn"] == execution["executionArn"]
    assert record["ExecutionArn"] in record["ExecutionUrl"]
    assert (record["Source"], "Owner" in record) == ("samples", False)


def test_a_duplicated_event_starts_nothing_more(stack: Stack) -> None:
    event = messages({"Records": [s3_event("uploads/a.jpg", "01", version="v1")]})
    for _ in range(3):
        assert stack.handler("StartAnalysis")(event) == {"batchItemFailures": []}
    assert len(executions(stack)) == 1


def test_an_older_version_that_is_announced_late_is_analysed_but_does_not_take_the_record_back(stack: Stack) -> None:
    handler = stack.handler("StartAnalysis")
    handler(messages({"Records": [s3_event("uploads/a.jpg", "02", version="v2")]}))
    handler(messages({"Records": [s3_event("uploads/a.jpg", "01", version="v1")]}))

    assert len(executions(stack)) == 2
    (record,) = stack.items("ImagesTable")
    assert record["VersionId"] == "v2"


def test_reads_all_records_of_a_message(stack: Stack) -> None:
    body = {"Records": [s3_event("uploads/a.jpg", "01"), s3_event("uploads/b.jpg", "02")]}
    stack.handler("StartAnalysis")(messages(body))
    assert {record["Key"] for record in stack.items("ImagesTable")} == {"uploads/a.jpg", "uploads/b.jpg"}


def test_only_the_message_that_cannot_be_read_comes_back(stack: Stack) -> None:
    event = messages({"Records": [s3_event("uploads/a.jpg", "01")]}, "this is not JSON", {"hello": "world"})
    answer = stack.handler("StartAnalysis")(event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert len(executions(stack)) == 1


def test_drops_the_test_event_that_s3_sends_when_the_notification_is_created(stack: Stack) -> None:
    event = messages(
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}, {"Records": [s3_event("uploads/a.jpg", "01")]}
    )
    assert stack.handler("StartAnalysis")(event) == {"batchItemFailures": []}
    assert len(executions(stack)) == 1


@pytest.mark.parametrize(("key", "size"), [("uploads/folder/", 0), ("uploads/empty.jpg", 0), ("thumbnails/abc/def.jpg", 1000)])
def test_ignores_folders_empty_objects_and_keys_outside_uploads(stack: Stack, key: str, size: int) -> None:
    stack.handler("StartAnalysis")(messages({"Records": [s3_event(key, "01", size=size)]}))
    assert stack.items("ImagesTable") == []
    assert executions(stack) == []


HARD_KEYS = {
    "plus, space, percent and the characters of queries": "uploads/a+b c%20d#?&=.JPG",
    "looks encoded twice": "uploads/a%252Bb.jpg",
    "leading slash": "uploads//x.jpg",
    "dots": "uploads/.././..x...jpg",
    "composed": "uploads/caf\u00e9.jpg",
    "decomposed": "uploads/cafe\u0301.jpg",
    "emoji": "uploads/\U0001f98a\U0001f468\u200d\U0001f469\u200d\U0001f467.jpg",
    "capitals": "uploads/IMG_0001.JPG",
    "1,024 bytes": "uploads/" + "\u00fc" * 506 + ".jpg",
}


def test_composed_and_decomposed_names_are_two_images(stack: Stack) -> None:
    records = [s3_event(HARD_KEYS[name], "01") for name in ("composed", "decomposed")]
    stack.handler("StartAnalysis")(messages({"Records": records}))
    assert len(stack.items("ImagesTable")) == len(executions(stack)) == 2


@pytest.mark.parametrize("key", HARD_KEYS.values(), ids=HARD_KEYS)
def test_keeps_hard_keys_as_they_are(stack: Stack, key: str) -> None:
    stack.handler("StartAnalysis")(messages({"Records": [s3_event(key, "01")]}))
    (record,) = stack.items("ImagesTable")
    assert record["Key"] == key
    assert json.loads(executions(stack)[0]["input"])["image"]["Key"] == key


def test_a_removed_object_takes_its_record_rows_and_renditions_with_it(stack: Stack, announced: Event, sample: Any) -> None:
    stack.client("s3").put_object(
        Bucket=stack.name("RenditionsBucket"), Key=ImageVersion.from_state(announced).thumbnail_key, Body=b"x"
    )
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    assert stack.rows()

    stack.client("s3").delete_object(Bucket=stack.name("ImagesBucket"), Key=announced["Key"])
    removal = s3_event(announced["Key"], "FF", name="ObjectRemoved:DeleteMarkerCreated", version="marker")
    stack.handler("StartAnalysis")(messages({"Records": [removal]}))

    assert stack.items("ImagesTable") == []
    assert stack.rows() == []
    assert stack.keys("RenditionsBucket") == []


def test_a_removal_that_arrives_after_a_newer_upload_changes_nothing(stack: Stack) -> None:
    handler = stack.handler("StartAnalysis")
    handler(messages({"Records": [s3_event("uploads/a.jpg", "05", version="v5")]}))
    handler(messages({"Records": [s3_event("uploads/a.jpg", "03", name="ObjectRemoved:DeleteMarkerCreated", version="m")]}))
    (record,) = stack.items("ImagesTable")
    assert record["VersionId"] == "v5"


def test_an_empty_object_in_an_images_place_takes_the_image_away(stack: Stack) -> None:
    s3, bucket, handler = stack.client("s3"), stack.name("ImagesBucket"), stack.handler("StartAnalysis")
    for sequencer, body in (("01", b"an image"), ("02", b"")):
        version = s3.put_object(Bucket=bucket, Key="uploads/a.jpg", Body=body)["VersionId"]
        handler(messages({"Records": [s3_event("uploads/a.jpg", sequencer, version=version, size=len(body))]}))
    assert stack.items("ImagesTable") == []


def test_deleting_an_old_version_permanently_keeps_the_current_one(stack: Stack, announced: Event) -> None:
    start = {"stateMachineArn": stack.name("AnalyzeImageStateMachine"), "input": json.dumps({"image": announced})}
    stack.client("stepfunctions").start_execution(name=ImageVersion.from_state(announced).execution_name(), **start)
    removal = s3_event(announced["Key"], "FF", name="ObjectRemoved:Delete", version="an-old-version")
    with pytest.raises(BatchProcessingError, match="still being analysed"):
        stack.handler("StartAnalysis")(messages({"Records": [removal]}))
    assert stack.record(announced["ImageId"]) is not None


def test_a_removal_that_leaves_a_version_in_place_which_was_never_started_starts_it(stack: Stack, announced: Event) -> None:
    """Its own message is in the dead-letter queue, so waiting for its end would make a dead letter of the removal too."""
    removal = s3_event(announced["Key"], "FF", name="ObjectRemoved:Delete", version="an-old-version")
    assert stack.handler("StartAnalysis")(messages({"Records": [removal]})) == {"batchItemFailures": []}
    record = stack.record(announced["ImageId"])
    assert record is not None
    (execution,) = executions(stack)
    assert (record["Status"], record["ExecutionArn"]) == ("ANALYZING", execution["executionArn"])
    assert record["VersionId"] == announced["VersionId"]


def test_deleting_the_newest_version_permanently_analyses_the_one_below(stack: Stack) -> None:
    s3, bucket = stack.client("s3"), stack.name("ImagesBucket")
    old = s3.put_object(Bucket=bucket, Key="uploads/a.jpg", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="uploads/a.jpg", Body=b"new")["VersionId"]
    handler = stack.handler("StartAnalysis")
    handler(messages({"Records": [s3_event("uploads/a.jpg", "01", version=old), s3_event("uploads/a.jpg", "02", version=new)]}))
    s3.delete_object(Bucket=bucket, Key="uploads/a.jpg", VersionId=new)

    removal = messages({"Records": [s3_event("uploads/a.jpg", "03", name="ObjectRemoved:Delete", version=new)]})
    for _ in range(2):
        assert handler(removal) == {"batchItemFailures": []}

    (record,) = stack.items("ImagesTable")
    assert record["VersionId"] == old
    assert record["Status"] == "ANALYZING"
    assert len(executions(stack)) == 3


def test_a_throttled_start_returns_the_message_and_the_next_delivery_starts_it(stack: Stack) -> None:
    handler = stack.handler("StartAnalysis")
    event = messages({"Records": [s3_event("uploads/a.jpg", "01", version="v1")]})
    with Stubber(clients.client("stepfunctions")) as stub:
        stub.add_client_error("start_execution", "ThrottlingException", "Rate exceeded", 400)
        with pytest.raises(BatchProcessingError):
            handler(event)
    assert executions(stack) == []

    assert handler(event) == {"batchItemFailures": []}
    assert len(executions(stack)) == 1


def test_the_rest_of_a_batch_stays_on_the_queue_when_less_than_ten_seconds_remain(stack: Stack) -> None:
    remaining = iter([60_000, 15_000, 10_000, 3_000])
    context = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: next(remaining)})
    stack.use_environment("StartAnalysis")
    event = messages(*({"Records": [s3_event(f"uploads/{name}.jpg", "01")]} for name in "abcd"))
    answer = start_analysis.handler(event, context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]}
    assert {record["Key"] for record in stack.items("ImagesTable")} == {"uploads/a.jpg", "uploads/b.jpg"}
    assert len(executions(stack)) == 2


def test_a_message_stays_on_the_queue_when_no_slot_is_free_in_time(stack: Stack) -> None:
    handler = stack.handler("StartAnalysis")
    in_a_minute = timestamps.now() + 60 * timestamps.SECOND
    stack.put_item("IntakeRateLimiterTable", {"Name": "executions", "NextSlot": in_a_minute})
    context = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 60_000})
    event = messages({"Records": [s3_event("uploads/a.jpg", "01")]})
    began = time.monotonic()
    in_the_environment = stack.environment("StartAnalysis", MAX_IMAGES_PER_SECOND="1")
    with in_the_environment, pytest.raises(BatchProcessingError, match="no free slot"):
        start_analysis.handler(event, context)
    assert time.monotonic() - began < 10  # it does not sleep until the slot
    assert executions(stack) == []

    stack.put_item("IntakeRateLimiterTable", {"Name": "executions", "NextSlot": 0})
    assert handler(event) == {"batchItemFailures": []}
    assert len(executions(stack)) == 1


def test_starts_are_spread_over_time_by_the_shared_clock(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.use_environment("StartAnalysis", MAX_IMAGES_PER_SECOND="5")
    now = 1_000_000_000
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += round(seconds * 1_000_000)

    monkeypatch.setattr(timestamps, "now", lambda: now)
    monkeypatch.setattr(timestamps.time, "sleep", sleep)
    starts = []
    for _ in range(12):
        rate_limiter.wait_for_intake_slot()
        starts.append(now)

    assert slept[0] == pytest.approx(rate_limiter.slot_spacing(5) / 1_000_000)
    assert all(sum(begin <= other < begin + 1_000_000 for other in starts) <= 5 for begin in starts)


def test_a_start_that_misses_its_slot_takes_another(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.use_environment("StartAnalysis")
    now = 1_000_000_000
    monkeypatch.setattr(timestamps, "now", lambda: now)
    rate_limiter.wait_for_intake_slot()
    overslept = iter([0.5, 0.0])

    def sleep(seconds: float) -> None:
        nonlocal now
        now += round((seconds + next(overslept)) * 1_000_000)

    monkeypatch.setattr(timestamps.time, "sleep", sleep)
    before = now
    rate_limiter.wait_for_intake_slot()
    spacing = rate_limiter.slot_spacing(float(stack.template.parameters["MaxImagesPerSecond"]))
    assert now - before >= spacing + 500_000
