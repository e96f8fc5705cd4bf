"""S3's event notifications to queues. moto's have no sequencer and no versionId, and none for delete markers.

Source: "Event message structure" in the S3 documentation, version 2.1.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus

from local.emulator.iam.evaluation import allows_service
from local.emulator.moto_patches.replacing import Restore, replace
from local.emulator.timestamps import now_iso

Send = Callable[[str, str], None]
MaySend = Callable[[str, str], bool]

_OWNER = "A3NL1KOZZKExample"
_EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"
_UNVERIFIED = "Unable to validate the following destination configurations"


class _Sequencer:
    """Strictly increasing hexadecimal numbers of 18 digits, also after a restart: nanoseconds since the epoch."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), 0

    def __call__(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:018X}"


class _Outbox:
    """Delays events until moto has finished the request. Before that the object lacks its metadata."""

    def __init__(self, send: Send) -> None:
        self._send, self._local = send, threading.local()

    def put(self, queue_arn: str, body: str) -> None:
        held: list[tuple[str, str]] | None = getattr(self._local, "held", None)
        if held is None:
            self._send(queue_arn, body)
        else:
            held.append((queue_arn, body))

    @contextmanager
    def request(self) -> Iterator[None]:
        if getattr(self._local, "held", None) is not None:
            yield
            return
        held: list[tuple[str, str]] = []
        self._local.held = held
        try:
            yield
        finally:
            self._local.held = None
            for queue_arn, body in held:
                self._send(queue_arn, body)


class _Notifier:
    """Sends events about changed objects to the queues of the bucket's notification configuration."""

    def __init__(self, send: Send, may_send: MaySend) -> None:
        self.outbox, self.may_send = _Outbox(send), may_send
        self._sequencer, self._completing = _Sequencer(), threading.local()
        self.lock = threading.RLock()  # moto reads a key's versions, adds one and writes them back

    def notify(self, bucket: Any, event: str, key: str, described: dict[str, Any]) -> None:
        for queue in bucket.notification_configuration.queue if bucket.notification_configuration else ():
            if queue.matches(event, key) and self.may_send(queue.arn, bucket.arn):
                # S3 uses form encoding, but keeps slashes: "year%3D2026/a+b.jpg".
                object_data = {"key": quote_plus(key, safe="/"), **described, "sequencer": self._sequencer()}
                self.outbox.put(queue.arn, json.dumps({"Records": [_record(bucket, event, queue.id, object_data)]}))

    def created(self, account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        """Replaces moto's send_event for created objects. `_delete_object` sends the events for removals."""
        event = str(getattr(event_name, "value", event_name))
        part_of_another = event == "s3:ObjectCreated:Put" and getattr(self._completing, "on", False)
        if event.startswith("s3:ObjectCreated:") and not part_of_another:
            described = {"size": key.size, "eTag": key.etag.strip('"'), **_version(key.version_id)}
            self.notify(bucket, event, key.name, described)

    def configured(self, account_id: str, bucket: Any) -> None:
        """Replaces moto's send_test_event: sends one test event to each destination."""
        for arn in sorted({queue.arn for queue in bucket.notification_configuration.queue}):
            self.outbox.put(arn, json.dumps(_test_event(bucket.name)))

    @contextmanager
    def completing(self) -> Iterator[None]:
        """Suppress the Put event. moto completes a multipart upload with put_object."""
        self._completing.on = True
        try:
            yield
        finally:
            self._completing.on = False


def install(send: Send, may_send: MaySend | None = None) -> Restore:
    """Make moto's S3 send notifications with `send(queue_arn, body)`. Returns a function that restores moto.

    `may_send(queue_arn, bucket_arn)` returns whether the queue exists and its policy allows S3 to send. It is called when a
    configuration is stored (False is S3's InvalidArgument) and for each event (False drops the event, as on AWS). The default
    evaluates the policies of moto's queues. Topics, functions and EventBridge as destinations raise NotImplemented. Events are
    sent when moto has finished the request, in the thread that served it.
    """
    from moto.s3 import models, notifications
    from moto.s3.responses import S3Response

    notifier = _Notifier(send, may_send or queue_policy_allows)
    wrappers: list[tuple[Any, str, Callable[[_Notifier, Any], Any]]] = [
        (notifications, "send_event", lambda notifier, original: notifier.created),
        (notifications, "send_test_event", lambda notifier, original: notifier.configured),
        (models.S3Backend, "put_object", _put_object),
        (models.S3Backend, "delete_object", _delete_object),
        (models.S3Backend, "complete_multipart_upload", _complete_multipart_upload),
        (models.FakeBucket, "set_notification_configuration", _set_notification_configuration),
        (S3Response, "key_response", _in_one_request),
        (S3Response, "bucket_response", _in_one_request),
    ]
    return replace(*((target, name, wrap(notifier, getattr(target, name))) for target, name, wrap in wrappers))


def _put_object(notifier: _Notifier, original: Any) -> Any:
    def put_object(self: Any, *args: Any, **named: Any) -> Any:
        with notifier.lock:
            key = original(self, *args, **named)
            _ = key.etag  # computed from the content now: another upload can replace it later
        return key

    return put_object


def _delete_object(notifier: _Notifier, original: Any) -> Any:
    def delete_object(*args: Any, **named: Any) -> Any:
        with notifier.lock:
            return delete_and_notify(*args, **named)

    def delete_and_notify(self: Any, bucket_name: str, key_name: str, version_id: str | None = None, **named: Any) -> Any:
        bucket = self.get_bucket(bucket_name)
        versions = [str(key.version_id) for key in bucket.keys.getlist(key_name, [])]
        done, meta = original(self, bucket_name, key_name, version_id=version_id, **named)
        if not done or (version_id is not None and str(version_id) not in versions):
            return done, meta
        if bucket.is_versioned and version_id is None:
            marker = {"eTag": _EMPTY_ETAG, **_version(meta.get("version-id"))}
            notifier.notify(bucket, "s3:ObjectRemoved:DeleteMarkerCreated", key_name, marker)
        else:
            notifier.notify(bucket, "s3:ObjectRemoved:Delete", key_name, _version(version_id))
        return done, meta

    return delete_object


def _complete_multipart_upload(notifier: _Notifier, original: Any) -> Any:
    def complete_multipart_upload(self: Any, *args: Any, **named: Any) -> Any:
        with notifier.completing():
            return original(self, *args, **named)

    return complete_multipart_upload


def _set_notification_configuration(notifier: _Notifier, original: Any) -> Any:
    def set_notification_configuration(self: Any, notification_config: dict[str, Any] | None) -> None:
        _check_destinations(notification_config or {}, self.arn, notifier.may_send)
        original(self, notification_config)

    return set_notification_configuration


def _in_one_request(notifier: _Notifier, original: Any) -> Any:
    def respond(self: Any, *args: Any, **named: Any) -> Any:
        with notifier.outbox.request():
            return original(self, *args, **named)

    return respond


def queue_policy_allows(queue_arn: str, bucket_arn: str) -> bool:
    """Whether the queue exists in moto and its policy allows S3 to send for this bucket of the same account."""
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = queue_arn.split(":", 5)
    queue = sqs_backends[account][region].queues.get(name)
    context = {"aws:SourceArn": bucket_arn, "aws:SourceAccount": account}
    if queue is None:
        return False
    return allows_service(queue.policy or None, "s3.amazonaws.com", "sqs:SendMessage", queue_arn, context)


def _check_destinations(config: dict[str, Any], bucket_arn: str, permitted: MaySend) -> None:
    from moto.s3.exceptions import S3ClientError

    for kind in ("TopicConfiguration", "CloudFunctionConfiguration", "EventBridgeConfiguration"):
        if config.get(kind) is not None:
            raise S3ClientError("NotImplemented", f"{kind} is not supported by the emulator; use queues")
    for queue in config.get("QueueConfiguration") or []:
        if not permitted(queue["Queue"], bucket_arn):
            raise S3ClientError("InvalidArgument", _UNVERIFIED)


def _version(version_id: Any) -> dict[str, str]:
    return {"versionId": str(version_id)} if version_id and version_id != "null" else {}


_request_numbers = itertools.count(1)


def _record(bucket: Any, event: str, configuration_id: str, described: dict[str, Any]) -> dict[str, Any]:
    request_id = f"{next(_request_numbers):016X}"
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": now_iso(),
        "eventName": event.removeprefix("s3:"),
        "userIdentity": {"principalId": f"AWS:{_OWNER}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": request_id, "x-amz-id-2": request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": _OWNER}, "arn": bucket.arn},
            "object": described,
        },
    }


def _test_event(bucket_name: str) -> dict[str, str]:
    request_id = f"{next(_request_numbers):016X}"
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": now_iso(),
        "Bucket": bucket_name,
        "RequestId": request_id,
        "HostId": request_id,
    }
