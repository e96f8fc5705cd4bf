"""Parses messages on the intake queue: S3 event notifications about created and removed objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from imagewatch.errors import UnreadableMessage
from imagewatch.images.version import ImageVersion, comparable_sequencer, is_image_key
from imagewatch.timestamps import iso_utc

_ACCEPTED = "The intake queue takes only S3 event notifications."


@dataclass(frozen=True)
class ObjectEvent:
    """One record of an S3 event notification."""

    image: ImageVersion
    removed: bool

    @property
    def is_upload(self) -> bool:
        """Whether the key can hold an image: "folders" and keys elsewhere (a misconfigured notification) are ignored."""
        return is_image_key(self.image.key)

    @property
    def has_content(self) -> bool:
        """Whether the key holds an image after the event. An empty object counts as a removal."""
        return not self.removed and self.image.size > 0


def parse_message(body: str) -> list[ObjectEvent]:
    """The events in one queue message; empty for S3's test event.

    Raises UnreadableMessage for every other content, so that the message ends in the dead-letter queue.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage(f"The message is not JSON ({error}). {_ACCEPTED}") from error
    if isinstance(message, dict) and message.get("Event") == "s3:TestEvent":
        return []
    if not isinstance(message, dict) or not isinstance(message.get("Records"), list) or not message["Records"]:
        raise UnreadableMessage(f"The message has no Records. {_ACCEPTED}")
    return [_parse_record(record) for record in message["Records"]]


def _parse_record(record: Any) -> ObjectEvent:
    try:
        if record["eventSource"] != "aws:s3":
            raise UnreadableMessage(f"The record comes from {record['eventSource']!r}, not from aws:s3.")
        category = str(record["eventName"]).removeprefix("s3:").partition(":")[0]
        if category not in ("ObjectCreated", "ObjectRemoved", "LifecycleExpiration"):
            raise UnreadableMessage(f"The event {record['eventName']!r} is neither a creation nor a removal.")
        s3_object = record["s3"]["object"]
        image = ImageVersion(
            bucket=_text(record["s3"]["bucket"]["name"]),
            # Keys in S3 notifications are form-URL-encoded. They are decoded only here.
            key=unquote_plus(_text(s3_object["key"]), errors="strict"),
            version_id=_text(s3_object.get("versionId") or ""),
            etag=_text(s3_object.get("eTag") or ""),
            sequencer=comparable_sequencer(_text(s3_object["sequencer"])),
            size=int(s3_object.get("size") or 0),
            uploaded_at=_milliseconds(record["eventTime"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableMessage(f"The record is not an S3 event: {type(error).__name__} {error}.") from error
    return ObjectEvent(image, removed=category != "ObjectCreated")


def _milliseconds(timestamp: str) -> str:
    moment = datetime.fromisoformat(timestamp)
    return iso_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _text(value: Any) -> str:
    """The value, if it is text that can be encoded (half of a surrogate pair can't). Raises TypeError, UnicodeEncodeError."""
    if not isinstance(value, str):
        raise TypeError(f"where text was expected: {value!r}")
    value.encode()
    return value
