"""S3 event notifications: records, sequencers, versions, and refused destinations."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.s3 import models

from local.emulator.s3 import notifications

BUCKET = "photos"
ACCOUNT = "123456789012"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:intake"
POLICY = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    }
}


class Aws:
    """moto in this process with the notifications installed, and the sent events."""

    def __init__(self) -> None:
        keys = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
        self.s3, self.sqs = boto3.client("s3", **keys), boto3.client("sqs", **keys)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.s3.create_bucket(Bucket=BUCKET)
        self.queue_url = self.sqs.create_queue(QueueName="intake", Attributes={"Policy": json.dumps(POLICY)})["QueueUrl"]

    def on_send(self) -> None:
        """Called when an event is sent."""

    def send(self, queue_arn: str, body: str) -> None:
        self.on_send()
        self.sent.append((queue_arn, json.loads(body)))

    def notify(self, *events: str, rules: tuple[tuple[str, str], ...] = (("prefix", "uploads/"),), queue: str = QUEUE) -> None:
        filters = {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules]}}
        self.s3.put_bucket_notification_configuration(
            Bucket=BUCKET,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"Id": "intake", "QueueArn": queue, "Events": list(events), **({"Filter": filters} if rules else {})}
                ]
            },
        )

    def version(self) -> None:
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for _, body in self.sent for record in body.get("Records", [])]


@pytest.fixture
def aws() -> Iterator[Aws]:
    with mock_aws():
        stack = Aws()
        restore = notifications.install(stack.send)
        try:
            yield stack
        finally:
            restore()


@pytest.fixture
def watched(aws: Aws) -> Aws:
    aws.notify("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    aws.sent.clear()
    return aws


def test_a_new_destination_gets_one_test_event(aws: Aws) -> None:
    aws.notify("s3:ObjectCreated:*")

    assert len(aws.sent) == 1
    queue, body = aws.sent[0]
    assert queue == QUEUE
    assert (body["Service"], body["Event"], body["Bucket"]) == ("Amazon S3", "s3:TestEvent", BUCKET)
    assert "Records" not in body


def test_an_upload_is_announced_with_the_record_of_the_documentation(watched: Aws) -> None:
    put = watched.s3.put_object(Bucket=BUCKET, Key="uploads/front door/a+b ü.jpg", Body=b"12345")

    (record,) = watched.records
    assert set(record) == {
        "eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity", "requestParameters",
        "responseElements", "s3",
    }  # fmt: skip
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
    assert record["awsRegion"] == "us-east-1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["eventTime"])
    assert record["s3"]["configurationId"] == "intake"
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{BUCKET}"
    assert record["s3"]["bucket"]["ownerIdentity"]["principalId"]
    found = record["s3"]["object"]
    assert found["key"] == "uploads/front+door/a%2Bb+%C3%BC.jpg"
    assert (found["size"], found["eTag"]) == (5, put["ETag"].strip('"'))
    assert re.fullmatch(r"[0-9A-F]{16,}", found["sequencer"])
    assert "versionId" not in found


@pytest.mark.parametrize(
    "key", ["uploads/a b", "uploads/a%20b", "uploads/a+b", "uploads//x#?&=", "uploads/e\u0301", "uploads/日本.jpg"]
)
def test_a_key_survives_being_decoded_exactly_once(watched: Aws, key: str) -> None:
    watched.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    assert unquote_plus(watched.records[0]["s3"]["object"]["key"]) == key


def test_a_versioned_upload_names_its_version(watched: Aws) -> None:
    watched.version()

    put = watched.s3.put_object(Bucket=BUCKET, Key="uploads/a.jpg", Body=b"x")

    assert watched.records[0]["s3"]["object"]["versionId"] == put["VersionId"]


def test_copies_and_multipart_uploads_are_announced_once_by_their_own_name(watched: Aws) -> None:
    s3 = watched.s3
    s3.put_object(Bucket=BUCKET, Key="elsewhere/a.jpg", Body=b"x")
    s3.copy_object(Bucket=BUCKET, Key="uploads/copy.jpg", CopySource={"Bucket": BUCKET, "Key": "elsewhere/a.jpg"})
    upload = {"Bucket": BUCKET, "Key": "uploads/big.jpg"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"xyz")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    found = [(r["eventName"], r["s3"]["object"]["key"], r["s3"]["object"]["size"]) for r in watched.records]
    assert found == [
        ("ObjectCreated:Copy", "uploads/copy.jpg", 1),
        ("ObjectCreated:CompleteMultipartUpload", "uploads/big.jpg", 3),
    ]
    assert watched.records[1]["s3"]["object"]["eTag"] == done["ETag"].strip('"')


def test_a_removed_object_is_announced_without_size_and_etag(watched: Aws) -> None:
    watched.s3.put_object(Bucket=BUCKET, Key="uploads/a.jpg", Body=b"x")
    watched.sent.clear()

    watched.s3.delete_object(Bucket=BUCKET, Key="uploads/a.jpg")

    (record,) = watched.records
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert set(record["s3"]["object"]) == {"key", "sequencer"}


def test_a_delete_marker_is_announced_as_such(watched: Aws) -> None:
    watched.version()
    watched.s3.put_object(Bucket=BUCKET, Key="uploads/a.jpg", Body=b"x")
    watched.sent.clear()

    marker = watched.s3.delete_object(Bucket=BUCKET, Key="uploads/a.jpg")

    (record,) = watched.records
    assert record["eventName"] == "ObjectRemoved:DeleteMarkerCreated"
    assert record["s3"]["object"]["versionId"] == marker["VersionId"]
    assert "size" not in record["s3"]["object"]


def test_a_removed_version_is_announced_even_while_others_remain(watched: Aws) -> None:
    watched.version()
    first = watched.s3.put_object(Bucket=BUCKET, Key="uploads/a.jpg", Body=b"1")["VersionId"]
    watched.s3.put_object(Bucket=BUCKET, Key="uploads/a.jpg", Body=b"2")
    watched.sent.clear()

    watched.s3.delete_object(Bucket=BUCKET, Key="uploads/a.jpg", VersionId=first)
    watched.s3.delete_object(Bucket=BUCKET, Key="uploads/a.jpg", VersionId="never-was")

    assert [(r["eventName"], r["s3"]["object"]["versionId"]) for r in watched.records] == [("ObjectRemoved:Delete", first)]


def test_deleting_many_announces_each_that_was_there(watched: Aws) -> None:
    for name in ("a", "b"):
        watched.s3.put_object(Bucket=BUCKET, Key=f"uploads/{name}", Body=b"x")
    watched.sent.clear()

    names = [{"Key": f"uploads/{name}"} for name in ("a", "b", "never-was")]
    watched.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": names})

    assert [r["s3"]["object"]["key"] for r in watched.records] == ["uploads/a", "uploads/b"]


def test_sequencers_of_a_key_grow_under_concurrent_writes(watched: Aws) -> None:
    def write(number: int) -> None:
        watched.s3.put_object(Bucket=BUCKET, Key=f"uploads/{number % 3}", Body=b"x")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(60)))

    by_key: dict[str, list[str]] = defaultdict(list)
    for record in watched.records:
        by_key[record["s3"]["object"]["key"]].append(record["s3"]["object"]["sequencer"])
    assert sorted(len(sequencers) for sequencers in by_key.values()) == [20, 20, 20]
    assert all(len(set(sequencers)) == 20 for sequencers in by_key.values())


@pytest.mark.parametrize(("versioned", "left"), [(True, 2), (False, 1)], ids=["versioned", "not versioned"])
def test_two_writes_of_a_key_at_once_are_both_there(
    watched: Aws, monkeypatch: pytest.MonkeyPatch, versioned: bool, left: int
) -> None:
    if versioned:
        watched.version()
    together = threading.Barrier(2, timeout=0.5)
    original = models._VersionedKeyStore.setlist

    def setlist(self: Any, key: str, versions: list[Any]) -> None:
        if not versioned:
            original(self, key, versions)
        with contextlib.suppress(threading.BrokenBarrierError):  # the lock keeps the other thread out
            together.wait()
        if versioned:
            original(self, key, versions)

    monkeypatch.setattr(models._VersionedKeyStore, "setlist", setlist)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda body: watched.s3.put_object(Bucket=BUCKET, Key="uploads/a", Body=body), (b"one", b"three")))

    assert len(watched.s3.list_object_versions(Bucket=BUCKET)["Versions"]) == left
    announced = [record["s3"]["object"] for record in watched.records]
    assert {found["size"] for found in announced} == {3, 5}
    assert len({found["eTag"] for found in announced}) == 2


def test_later_events_of_a_key_have_greater_sequencers(watched: Aws) -> None:
    for _ in range(5):
        watched.s3.put_object(Bucket=BUCKET, Key="uploads/a", Body=b"x")
    watched.s3.delete_object(Bucket=BUCKET, Key="uploads/a")

    sequencers = [record["s3"]["object"]["sequencer"] for record in watched.records]
    assert sequencers == sorted(set(sequencers))


@pytest.mark.parametrize(
    ("events", "rules", "key", "announced"),
    [
        (("s3:ObjectCreated:*",), (("prefix", "uploads/"),), "uploads/a.jpg", True),
        (("s3:ObjectCreated:*",), (("prefix", "uploads/"),), "thumbnails/a.jpg", False),
        (("s3:ObjectCreated:*",), (("prefix", "uploads/"), ("suffix", ".jpg")), "uploads/a.JPG", False),
        (("s3:ObjectCreated:Put",), (), "anything", True),
        (("s3:ObjectCreated:Post",), (), "anything", False),
        (("s3:ObjectRemoved:*",), (), "anything", False),
    ],
)
def test_only_what_the_configuration_asks_for_is_announced(
    aws: Aws, events: tuple[str, ...], rules: tuple[tuple[str, str], ...], key: str, announced: bool
) -> None:
    aws.notify(*events, rules=rules)
    aws.sent.clear()

    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    assert bool(aws.sent) is announced


def test_a_reader_woken_by_the_event_finds_the_object_complete(watched: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(watched, "on_send", lambda: seen.append(_metadata()))

    watched.s3.put_object(Bucket=BUCKET, Key="uploads/a", Body=b"x", Metadata={"source": "door"}, ContentType="image/png")

    assert seen == [({"source": "door"}, "image/png")]


def _metadata() -> tuple[dict[str, str], str]:
    from moto.s3.models import s3_backends

    key = s3_backends[ACCOUNT]["aws"].get_object(BUCKET, "uploads/a")
    found = {name.removeprefix("x-amz-meta-"): value for name, value in key.metadata.items() if "meta" in name}
    return found, key.metadata["Content-Type"]


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": {"Service": "events.amazonaws.com"}},
        {"Resource": QUEUE + "2"},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::other"}}},
    ],
)
def test_a_queue_whose_policy_does_not_let_s3_in_is_refused(aws: Aws, change: dict[str, Any]) -> None:
    policy = {"Statement": {**POLICY["Statement"], **change}}
    aws.sqs.set_queue_attributes(QueueUrl=aws.queue_url, Attributes={"Policy": json.dumps(policy)})

    with pytest.raises(ClientError) as raised:
        aws.notify("s3:ObjectCreated:*")

    error = raised.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "InvalidArgument",
        "Unable to validate the following destination configurations",
    )
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "QueueConfigurations" not in aws.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert aws.sent == []


def test_a_queue_that_is_not_there_is_refused(aws: Aws) -> None:
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        aws.notify("s3:ObjectCreated:*", queue=QUEUE + "-gone")


def test_events_are_lost_when_the_policy_is_taken_away_later(watched: Aws) -> None:
    watched.sqs.set_queue_attributes(QueueUrl=watched.queue_url, Attributes={"Policy": ""})

    watched.s3.put_object(Bucket=BUCKET, Key="uploads/a", Body=b"x")

    assert watched.sent == []


@mock_aws
def test_another_judge_of_destinations_can_be_given() -> None:
    asked: list[tuple[str, str]] = []
    aws = Aws()

    def may_send(queue_arn: str, bucket_arn: str) -> bool:
        asked.append((queue_arn, bucket_arn))
        return True

    restore = notifications.install(aws.send, may_send)
    aws.notify("s3:ObjectCreated:*", queue=QUEUE + "-gone")
    restore()

    assert asked == [(QUEUE + "-gone", f"arn:aws:s3:::{BUCKET}")]


def test_a_destination_that_is_not_supported_is_refused_by_name(aws: Aws) -> None:
    with pytest.raises(ClientError, match="EventBridgeConfiguration is not supported"):
        aws.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}})


def test_an_empty_configuration_ends_the_notifications(watched: Aws) -> None:
    watched.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})

    watched.s3.put_object(Bucket=BUCKET, Key="uploads/a", Body=b"x")

    assert watched.sent == []
