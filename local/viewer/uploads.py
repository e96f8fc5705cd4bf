"""Stores the page's uploads. A key that holds another picture is not overwritten: the upload gets another key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from uploader.upload.keys import key_with_hash


@dataclass(frozen=True)
class Stored:
    """Where an upload was stored; `again` if its content was there before."""

    key: str
    again: bool


def store(s3: Any, bucket: str, key: str, body: bytes, content_type: str) -> Stored:
    """Stores an upload at its key, or, when that holds other content, at a key with its hash.

    Raises ClientError, and ValueError for a key with a hash that is too long.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    arguments = {"Bucket": bucket, "Body": body, "ContentType": content_type, "Metadata": {"sha256": sha256}}
    if _create(s3, key, arguments):
        return Stored(key, again=False)
    if _has_content(s3.head_object(Bucket=bucket, Key=key), sha256, body):
        s3.put_object(Key=key, **arguments)
        return Stored(key, again=True)
    other = key_with_hash(key, sha256)
    created = _create(s3, other, arguments)
    if not created:
        s3.put_object(Key=other, **arguments)
    return Stored(other, again=not created)


def _create(s3: Any, key: str, arguments: Mapping[str, Any]) -> bool:
    """Stores an object unless the key holds one. Returns whether it did."""
    try:
        s3.put_object(Key=key, IfNoneMatch="*", **arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
        return False
    return True


def _has_content(head: Mapping[str, Any], sha256: str, body: bytes) -> bool:
    known = head["Metadata"].get("sha256")
    return bool(known == sha256 if known else head["ETag"].strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest())
