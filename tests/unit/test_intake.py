"""What S3 says on the queue: keys decoded exactly once, nothing unreadable passed over, and no event misread."""

from __future__ import annotations

import copy
import json
import time
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.errors import UnreadableMessage
from imagewatch.images.s3_events import ObjectEvent, parse_message
from imagewatch.images.version import SEQUENCER_WIDTH

ACCEPTED = r"The intake queue takes only S3 event notifications\."
AWKWARD_KEYS = {
    "plus": "uploads/a+b.jpg",
    "percent": "uploads/100%.jpg",
    "looks encoded": "uploads/a%2Bb%20c.jpg",
    "looks encoded twice": "uploads/a%252Bb.jpg",
    "space": "uploads/red flower.jpg",
    "outer spaces": "uploads/ a .jpg ",
    "hash": "uploads/a#1.jpg",
    "question mark": "uploads/a?versionId=x&y=z.jpg",
    "composed": "uploads/T\u00fcr.jpg",
    "decomposed": "uploads/Tu\u0308r.jpg",
    "emoji": "uploads/🦊👨\u200d👩\u200d👧.jpg",
    "double slash": "uploads//a.jpg",
    "dots": "uploads/../.././a..jpg",
    "capitals": "uploads/IMG_0001.JPG",
    "line feed": "uploads/a\nb.jpg",
    "quotes": "uploads/\"a'\\b.jpg",
    "1,024 bytes": "uploads/" + "ü" * 506 + ".jpg",
}


def record(**changes: Any) -> dict[str, Any]:
    """One record of a notification; a change names a field of `object`, or eventName, eventTime, eventSource, bucket."""
    top = {
        "eventVersion": "2.1",
        "eventSource": changes.pop("eventSource", "aws:s3"),
        "awsRegion": "us-east-1",
        "eventTime": changes.pop("eventTime", "2026-11-20T16:05:09.123Z"),
        "eventName": changes.pop("eventName", "ObjectCreated:Put"),
    }
    bucket = {"name": changes.pop("bucket", "photos"), "arn": "arn:aws:s3:::photos"}
    s3_object = {"key": "uploads/a.jpg", "size": 1024, "eTag": "e1", "versionId": "v1", "sequencer": "0055AED6DCD90281E5"}
    return {**top, "s3": {"s3SchemaVersion": "1.0", "bucket": bucket, "object": s3_object | changes}}


def message(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def only(body: str) -> ObjectEvent:
    [event] = parse_message(body)
    return event


def test_an_upload_is_read_completely() -> None:
    event = only(message(record()))
    image = event.image
    assert (image.bucket, image.key, image.version_id, image.etag) == ("photos", "uploads/a.jpg", "v1", "e1")
    assert (image.size, image.uploaded_at) == (1024, "2026-11-20T16:05:09.123Z")
    assert image.sequencer == "0055AED6DCD90281E5".ljust(SEQUENCER_WIDTH, "0")
    assert (event.removed, event.is_upload) == (False, True)


@pytest.mark.parametrize("key", AWKWARD_KEYS.values(), ids=AWKWARD_KEYS)
def test_a_key_is_decoded_exactly_once(key: str) -> None:
    assert only(message(record(key=quote_plus(key)))).image.key == key


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_any_key_comes_through_as_it_was_uploaded(key: str) -> None:
    assert only(message(record(key=quote_plus(key)))).image.key == key


def test_the_longest_key_is_really_1024_bytes() -> None:
    assert len(AWKWARD_KEYS["1,024 bytes"].encode()) == 1024


def test_composed_and_decomposed_names_stay_two_images() -> None:
    composed, decomposed = (only(message(record(key=quote_plus(AWKWARD_KEYS[k])))).image for k in ("composed", "decomposed"))
    assert composed.image_id != decomposed.image_id


def test_a_key_with_a_leading_slash_is_outside_uploads() -> None:
    event = only(message(record(key="/uploads/a.jpg")))
    assert event.image.key == "/uploads/a.jpg"
    assert not event.is_upload


@pytest.mark.parametrize("key", ["uploads/%ff.jpg", "uploads/%C3%28.jpg", "uploads/%ED%A0%80.jpg"])
def test_a_key_that_is_not_utf8_is_unreadable(key: str) -> None:
    with pytest.raises(UnreadableMessage, match="UnicodeDecodeError"):
        parse_message(message(record(key=key)))


def test_half_of_a_surrogate_pair_is_unreadable() -> None:
    with pytest.raises(UnreadableMessage, match="surrogates"):
        parse_message(message(record(key="uploads/\ud800.jpg")))


def test_several_records_are_read_in_their_order() -> None:
    events = parse_message(message(*(record(key=f"uploads/{n}.jpg") for n in range(5))))
    assert [event.image.key for event in events] == [f"uploads/{n}.jpg" for n in range(5)]


def test_one_unreadable_record_keeps_the_whole_message() -> None:
    with pytest.raises(UnreadableMessage):
        parse_message(message(record(), record(eventSource="aws:sns")))


def test_the_test_event_is_dropped() -> None:
    sent = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-20T16:05:09.123Z", "Bucket": "photos"}
    assert parse_message(json.dumps(sent)) == []


@pytest.mark.parametrize("body", ["", "{", "hello", "{'Records': []}", "[" * 100_000, "\x00"])
def test_a_body_that_is_not_json_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableMessage, match=rf"^The message is not JSON .+\. {ACCEPTED}$"):
        parse_message(body)


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        "Records",
        [],
        [{"eventSource": "aws:s3"}],
        {},
        {"Records": None},
        {"Records": {}},
        {"Records": []},
        {"Event": "s3:Other"},
        {"Message": '{"Records": []}', "Type": "Notification"},
        {"detail": {"object": {"key": "a"}}},
    ],
    ids=str,
)
def test_json_without_records_is_unreadable_and_not_skipped(value: Any) -> None:
    with pytest.raises(UnreadableMessage, match=rf"^The message has no Records\. {ACCEPTED}$"):
        parse_message(json.dumps(value))


@pytest.mark.parametrize("value", [None, 1, "record", [], {}, {"eventSource": "aws:s3"}], ids=str)
def test_a_record_of_another_shape_is_unreadable(value: Any) -> None:
    with pytest.raises(UnreadableMessage, match=r"^The record .+\.$"):
        parse_message(json.dumps({"Records": [value]}))


@pytest.mark.parametrize(
    "path",
    [
        "eventSource",
        "eventName",
        "eventTime",
        "s3",
        "s3.bucket",
        "s3.bucket.name",
        "s3.object",
        "s3.object.key",
        "s3.object.sequencer",
    ],
)
def test_a_missing_field_is_named(path: str) -> None:
    *parents, field = path.split(".")
    broken = holder = copy.deepcopy(record())
    for parent in parents:
        holder = holder[parent]
    del holder[field]
    with pytest.raises(UnreadableMessage, match=f"KeyError '{field}'"):
        parse_message(message(broken))


@pytest.mark.parametrize(
    "change",
    [
        {"key": 5},
        {"key": None},
        {"bucket": 5},
        {"bucket": ["photos"]},
        {"sequencer": 7},
        {"versionId": 7},
        {"eTag": {"a": 1}},
        {"size": "large"},
        {"size": [1]},
        {"size": float("inf")},
        {"size": float("nan")},
        {"eventTime": 1700000000},
        {"eventTime": "yesterday"},
        {"eventTime": "9999-12-31T23:59:59-14:00"},
        {"eventTime": ""},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_kind_is_unreadable(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableMessage, match=r"^The record is not an S3 event: .+\.$"):
        parse_message(message(record(**change)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "key", "object", "bucket"]), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["eventSource", "eventTime", "eventName", "bucket", "key", "size", "eTag", "versionId", "sequencer"]), JSON
)
def test_any_value_of_a_field_is_read_or_unreadable(field: str, value: Any) -> None:
    try:
        event = only(message(record(**{field: value})))
    except UnreadableMessage:
        return
    assert len(event.image.execution_name()) <= 80
    json.dumps(event.image.to_state(), allow_nan=False).encode()


def test_a_record_from_another_service_is_unreadable() -> None:
    with pytest.raises(UnreadableMessage, match="'aws:sqs', not from aws:s3"):
        parse_message(message(record(eventSource="aws:sqs")))


@pytest.mark.parametrize("name", ["ObjectTagging:Put", "s3:ObjectRestore:Post", "ReducedRedundancyLostObject", "", "TestEvent"])
def test_an_unexpected_event_is_unreadable(name: str) -> None:
    with pytest.raises(UnreadableMessage, match="neither a creation nor a removal"):
        parse_message(message(record(eventName=name)))


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("ObjectCreated:Put", False),
        ("ObjectCreated:Post", False),
        ("ObjectCreated:Copy", False),
        ("ObjectCreated:CompleteMultipartUpload", False),
        ("s3:ObjectCreated:Put", False),
        ("ObjectRemoved:Delete", True),
        ("ObjectRemoved:DeleteMarkerCreated", True),
        ("LifecycleExpiration:Delete", True),
        ("LifecycleExpiration:DeleteMarkerCreated", True),
        ("s3:ObjectRemoved:DeleteMarkerCreated", True),
    ],
)
def test_creations_and_every_kind_of_removal_are_distinguished(name: str, removed: bool) -> None:
    event = only(message(record(eventName=name)))
    assert event.removed is removed


def test_the_removal_of_an_upload_has_no_size() -> None:
    removal = record(eventName="ObjectRemoved:Delete")
    for field in ("size", "eTag"):
        del removal["s3"]["object"][field]
    event = only(message(removal))
    assert (event.image.size, event.image.etag, event.is_upload) == (0, "", True)


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("uploads/", 0),
        ("uploads/front-door/", 0),
        ("uploads/front-door/", 5),
        ("thumbnails/a.jpg", 5),
        ("Uploads/a.jpg", 5),
        ("uploadsX/a.jpg", 5),
        ("a.jpg", 5),
    ],
)
def test_folders_and_other_prefixes_do_not_concern_us(key: str, size: int) -> None:
    assert not only(message(record(key=key, size=size))).is_upload


def test_an_object_in_a_bucket_without_versions_has_no_version_id() -> None:
    unversioned = record()
    del unversioned["s3"]["object"]["versionId"]
    assert only(message(unversioned)).image.version_id == ""
    assert only(message(record(versionId=None))).image.version_id == ""


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-20T16:05:09.123Z", "2026-11-20T16:05:09.123Z"),
        ("2026-11-20T16:05:09Z", "2026-11-20T16:05:09.000Z"),
        ("2026-11-20T16:05:09.123456Z", "2026-11-20T16:05:09.123Z"),
        ("2026-11-20T16:05:09.999999Z", "2026-11-20T16:05:09.999Z"),
        ("2026-11-20T18:05:09.123+02:00", "2026-11-20T16:05:09.123Z"),
        ("2026-11-21T00:05:09.123+08:00", "2026-11-20T16:05:09.123Z"),
        ("2026-11-20T16:05:09.123", "2026-11-20T16:05:09.123Z"),
    ],
)
def test_times_are_in_utc_with_milliseconds(written: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # a time without a zone must not be read in this machine's
    time.tzset()
    try:
        assert only(message(record(eventTime=written))).image.uploaded_at == read
    finally:
        monkeypatch.undo()
        time.tzset()
