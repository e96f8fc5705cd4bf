"""Reads a request's image: bytes that came with it in base64, or an object in S3."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from local.emulator.rekognition import pictures
from local.emulator.rekognition.errors import InvalidParameter, InvalidS3Object, ObjectNotReadable, Serialization

Fetch = Callable[[str, str, str | None], bytes]


def with_decoded_bytes(payload: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the request with the Bytes of its image `name` decoded from base64. Raises Serialization."""
    image = payload.get(name)
    if not isinstance(image, dict) or not isinstance(image.get("Bytes"), str):
        return payload
    try:
        return {**payload, name: {**image, "Bytes": base64.b64decode(image["Bytes"], validate=True)}}
    except binascii.Error as error:
        raise Serialization(f"{name}.Bytes is not base64: {error}") from error


def image_content(image: dict[str, Any], fetch: Fetch) -> tuple[bytes, int]:
    """Returns the image's bytes and the size limit for their source. Raises InvalidParameter, InvalidS3Object."""
    inline, place = image.get("Bytes"), image.get("S3Object")
    if (inline is None) == (place is None):
        raise InvalidParameter("Request has invalid parameters: Image needs either Bytes or S3Object.")
    if place is None:
        return inline or b"", pictures.MAX_INLINE_BYTES
    bucket, key = place.get("Bucket"), place.get("Name")
    if not bucket or not key:
        raise InvalidParameter("Request has invalid parameters: S3Object needs Bucket and Name.")
    try:
        return fetch(bucket, key, place.get("Version")), pictures.MAX_S3_BYTES
    except ObjectNotReadable as error:
        raise InvalidS3Object(
            f"Unable to get object metadata from S3. Check object key, region and/or access permissions. {error}".strip()
        ) from error
