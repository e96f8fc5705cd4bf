"""Images in formats that browsers support: the thumbnail, and the picture that the bounding boxes refer to."""

from __future__ import annotations

from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from imagewatch.images.version import THUMBNAILS_PREFIX
from local.viewer.stack import Stack

_SHOWN_BY_BROWSERS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
_SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF8"}
_GONE = {"NoSuchKey", "NoSuchVersion", "404", "NoSuchBucket"}


class Picture(NamedTuple):
    """An image with its content type, which is derived from the detected format and not from the upload."""

    body: bytes
    content_type: str


def thumbnail(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """The thumbnail from the renditions bucket. An image that has none, such as a failed one, is shown as it was uploaded."""
    key = record.get("Thumbnail") or _written_thumbnail(stack, record)
    return (_rendition(stack, key) if key else None) or _upload(stack, record)


def picture(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """The analyzed picture: the converted copy, or else the upload, or else the thumbnail.

    Browsers apply a JPEG's EXIF orientation, so the upload is shown upright, as the boxes were measured.
    """
    if record.get("Conversion"):
        usual = f"analysis/{record['ImageId']}/{record.get('Version', '')}.jpg"
        converted = _rendition(stack, record.get("AnalysisCopy") or usual)
        if converted:
            return converted
    return _upload(stack, record) or thumbnail(stack, record)


def _written_thumbnail(stack: Stack, record: dict[str, Any]) -> str | None:
    """The key of a thumbnail that was written before the analysis failed, or None."""
    prefix = f"{THUMBNAILS_PREFIX}{record['ImageId']}/{record.get('Version', '')}"
    found = stack.client("s3").list_objects_v2(Bucket=stack.outputs["RenditionsBucketName"], Prefix=prefix).get("Contents", [])
    return str(max(found, key=lambda entry: entry["LastModified"])["Key"]) if found else None


def _upload(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """The uploaded object, if browsers show its format. A record without a format belongs to an image that failed early."""
    format_name = str(record.get("Format") or "").upper()
    if not record.get("Key") or (format_name and format_name not in _SHOWN_BY_BROWSERS):
        return None
    which = {"VersionId": record["VersionId"]} if record.get("VersionId") not in (None, "", "null") else {}
    body = _read(stack, stack.outputs["ImagesBucketName"], record["Key"], **which)
    content_type = _SHOWN_BY_BROWSERS.get(format_name or _format(body or b""))
    return Picture(body, content_type) if body is not None and content_type else None


def _format(body: bytes) -> str:
    """The name of the format whose signature the bytes have, or an empty text."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "WEBP"
    return next((name for name, signature in _SIGNATURES.items() if body.startswith(signature)), "")


def _rendition(stack: Stack, key: str) -> Picture | None:
    body = _read(stack, stack.outputs["RenditionsBucketName"], key)
    return Picture(body, "image/jpeg") if body is not None else None


def _read(stack: Stack, bucket: str, key: str, **which: str) -> bytes | None:
    try:
        body: bytes = stack.client("s3").get_object(Bucket=bucket, Key=key, **which)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise
    return body
