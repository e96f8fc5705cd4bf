"""Deletes objects of the images bucket permanently, with every version."""

from __future__ import annotations

from imagewatch.aws.clients import client, translated
from imagewatch.errors import Unavailable


def delete_all(bucket: str, key: str) -> int:
    """Deletes every version and delete marker of the object at this key; returns their number. Idempotent.

    Raises Unavailable when S3 left one of them.
    """
    number = 0
    while found := _versions(bucket, key):
        with translated():
            answer = client("s3").delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
        if errors := answer.get("Errors"):
            raise Unavailable(f"S3 did not delete a version of {key}: {errors[0].get('Code')} {errors[0].get('Message')}")
        number += len(found)
    return number


def _versions(bucket: str, key: str) -> list[dict[str, str]]:
    """Up to a thousand of the object's versions. The prefix also finds longer keys, which sort behind it."""
    with translated():
        page = client("s3").list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1000)
    entries = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    return [{"Key": key, "VersionId": entry["VersionId"]} for entry in entries if entry["Key"] == key]


def keys_below(bucket: str, prefix: str) -> list[str]:
    """Keys below a prefix that have a version or a delete marker, at most those of a thousand versions."""
    with translated():
        page = client("s3").list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=1000)
    return sorted({entry["Key"] for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))})
