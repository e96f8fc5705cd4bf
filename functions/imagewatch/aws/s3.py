"""S3: uploaded objects, and their renditions in another bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, error_message, translated
from imagewatch.aws.settings import setting
from imagewatch.errors import ImageGone, ImageRejected, Unavailable
from imagewatch.images.version import ImageVersion, comparable_sequencer

# 412: the object isn't the announced one (in a bucket without versions); 405: the version is a delete marker.
_GONE = {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "405", "412", "PreconditionFailed", "MethodNotAllowed"}
_ARCHIVED = (
    "The object is archived (S3 Glacier or an archive tier of Intelligent-Tiering), so it can't be read."
    " Restore it, then copy it to the same key, or upload it again in the storage class STANDARD."
)
_CUSTOMER_KEY = (
    "The object is encrypted with a key that only its uploader has (SSE-C), so it can't be read."
    " Upload it again without that key of yours."
)
_KMS_KEY = (
    "The object is encrypted with a KMS key that Imagewatch may not use. Upload it again with the bucket's default encryption,"
    " or allow the role of ValidateImageFunction and Rekognition to use the key (kms:Decrypt)."
)
_GONE_REASON = "The image was removed or replaced before it could be analysed."


@dataclass(frozen=True)
class CurrentObject:
    """What S3 holds at a key now."""

    version_id: str
    etag: str
    size: int
    uploaded_at: Any


def current(bucket: str, key: str) -> CurrentObject | None:
    """The object at the key now, or None: the key has no object, its newest version is a delete marker, or it is empty."""
    try:
        with translated():
            head = client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in _GONE:
            return None
        raise
    if not head["ContentLength"]:
        return None
    version_id = head.get("VersionId") or ""
    return CurrentObject(version_id, head["ETag"].strip('"'), int(head["ContentLength"]), head["LastModified"])


def is_current(image: ImageVersion) -> bool:
    """Whether S3 holds this version at its key now."""
    found = current(image.bucket, image.key)
    if found is None or found.version_id != image.version_id:
        return False
    return bool(image.version_id) or found.etag == image.etag


def version_of(found: CurrentObject, like: ImageVersion, uploaded_at: str) -> ImageVersion:
    """The image version of what S3 holds now, with the sequencer of the event (`like`) that exposed it."""
    return ImageVersion(
        bucket=like.bucket,
        key=like.key,
        version_id=found.version_id,
        etag=found.etag,
        sequencer=comparable_sequencer(like.sequencer),
        size=found.size,
        uploaded_at=uploaded_at,
    )


@dataclass(frozen=True)
class UploadedFile:
    """One version of an object."""

    data: bytes
    metadata: Mapping[str, str]
    """The user metadata, which its uploader chose."""


def read(image: ImageVersion) -> UploadedFile:
    """All bytes of exactly this version, and its metadata.

    Raises ImageGone when it no longer exists, or the key has no object any more; ImageRejected when S3 has the object but can't
    return it (archived, or encrypted with a key that Imagewatch can't use).

    The lease is acquired before this call: a removal after the check below finds the record through its own event.
    """
    try:
        if current(image.bucket, image.key) is None:
            raise ImageGone(_GONE_REASON)
    except ClientError as error:
        if error_code(error) == "400":  # a HEAD carries no message; S3 answers so where the customer's key is missing
            raise ImageRejected(_CUSTOMER_KEY) from error
        raise
    which = {"VersionId": image.version_id} if image.version_id else {"IfMatch": image.etag}
    try:
        with translated():
            answer = client("s3").get_object(Bucket=image.bucket, Key=image.key, **which)
    except ClientError as error:
        if error_code(error) in _GONE:
            raise ImageGone(_GONE_REASON) from error
        if reason := _unreadable(error):
            raise ImageRejected(reason) from error
        raise
    with translated():
        return UploadedFile(_all_of(answer["Body"]), answer.get("Metadata", {}))


def _unreadable(error: ClientError) -> str | None:
    """Why S3 has the object and does not give it out, with what to do; None for every other error.

    Source: S3's API reference, "Error responses" (InvalidObjectState, InvalidRequest, KMS.*), and "Protecting data with SSE-C".
    """
    code, message = error_code(error), error_message(error)
    if code == "InvalidObjectState":
        return _ARCHIVED
    if code == "InvalidRequest" and "Server Side Encryption" in message:
        return _CUSTOMER_KEY
    if code.startswith("KMS.") or (code == "AccessDenied" and "kms:" in message):
        return _KMS_KEY
    return None


def write_rendition(key: str, data: bytes) -> dict[str, str]:
    """Writes a JPEG into the renditions bucket; returns it as {Bucket, Key, VersionId}."""
    bucket = setting("RENDITIONS_BUCKET")
    with translated():
        client("s3").put_object(
            Bucket=bucket, Key=key, Body=data, ContentType="image/jpeg", CacheControl="private, max-age=31536000, immutable"
        )
    return {"Bucket": bucket, "Key": key, "VersionId": ""}


def read_rendition(key: str) -> bytes | None:
    """A rendition's bytes, or None when it doesn't exist."""
    try:
        with translated():
            return _all_of(client("s3").get_object(Bucket=setting("RENDITIONS_BUCKET"), Key=key)["Body"])
    except ClientError as error:
        if error_code(error) in _GONE:
            return None
        raise


def rendition_link(key: str, seconds: int) -> str:
    """A presigned URL of the rendition, valid for at most `seconds`: it expires with the function's credentials at the latest."""
    place = {"Bucket": setting("RENDITIONS_BUCKET"), "Key": key}
    return str(client("s3", for_links=True).generate_presigned_url("get_object", Params=place, ExpiresIn=seconds))


def delete_renditions(keys: Sequence[str]) -> None:
    """Deletes renditions, written or not; idempotent."""
    if not keys:
        return
    with translated():
        answer = client("s3").delete_objects(
            Bucket=setting("RENDITIONS_BUCKET"), Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    if answer.get("Errors"):
        first = answer["Errors"][0]
        raise Unavailable(f"S3 did not delete the rendition {first.get('Key')}: {first.get('Code')} {first.get('Message')}")


def _all_of(body: Any) -> bytes:
    with body:
        data: bytes = body.read()
    return data
