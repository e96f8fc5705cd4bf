"""The bytes of an image as a browser can show them: its thumbnail, and the upright picture that the boxes refer to."""

from __future__ import annotations

from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from local.viewer.stack import Stack

_SHOWN_BY_BROWSERS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
_GONE = {"NoSuchKey", "NoSuchVersion", "404", "NoSuchBucket"}


class Picture(NamedTuple):
    """An image's bytes with a type that we chose: what a stranger uploaded never says what it is."""

    body: bytes
    content_type: str


def thumbnail(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """The small picture from the renditions bucket, if there is one."""
    return _rendition(stack, record["Thumbnail"]) if record.get("Thumbnail") else None


def picture(stack: Stack, record: dict[str, Any]) -> Picture | None:
    """What was analysed: the converted copy where there is one, else the upload itself, else the thumbnail.

    Browsers turn a JPEG by its EXIF orientation themselves: the upload is seen upright, as its boxes were measured.
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
