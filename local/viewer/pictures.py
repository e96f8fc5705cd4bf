"""Images in formats that browsers support: the thumbnail, and the picture that the bounding boxes refer to."""

from __future__ import annotations

from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from local.viewer.stack import Stack

_SHOWN_BY_BROWSERS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
_GONE = {"NoSuchKey", "NoSuchVersion", "404", "NoSuchBucket"}


class Picture(NamedTuple):
    """An image with its content type, which is derived from the detected format and not from the upload."""

    body: bytes
    content_type: str


def thumbnail(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """The thumbnail from the renditions bucket, or None."""
    return _rendition(stack, record["Thumbnail"]) if record.get("Thumbnail") else None


def picture(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """The analyzed picture: the converted copy, or else the upload, or else the thumbnail.

    Browsers apply a JPEG's EXIF orientation, so the upload is shown upright, as the boxes were measured.
    """
    if record.get("Conversion"):
        usual = f"analysis/{record['ImageId']}/{record.get('Version', '')}.jpg"
        converted = _rendition(stack, record.get("AnalysisCopy") or usual)
        if converted:
            return converted
    content_type = _SHOWN_BY_BROWSERS.get(str(record.get("Format", "")).upper())
    if content_type and record.get("Key"):
        which = {"VersionId": record["VersionId"]} if record.get("VersionId") not in (None, "", "null") else {}
        body = _read(stack, stack.outputs["ImagesBucketName"], record["Key"], **which)
        if body is not None:
            return Picture(body, content_type)
    return thumbnail(stack, record)


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
