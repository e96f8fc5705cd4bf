"""Presigned uploads: forms with which a browser or a script sends exactly one file to S3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagewatch.aws.clients import client, translated
from imagewatch.aws.settings import setting
from imagewatch.images.upload import Upload

FORM_SECONDS = 3600
"""How long a form can be used. It expires with the function's credentials at the latest."""


@dataclass(frozen=True)
class Form:
    """A form of the type multipart/form-data: where it goes, and its fields. The file is its last field."""

    url: str
    fields: Mapping[str, str]


def form(upload: Upload, key: str) -> Form:
    """The form that uploads this content to this key, and nothing else.

    S3 refuses another key, size, media type or content. Sources: S3 API reference, "Creating a POST policy" (conditions) and
    "POST Object" (x-amz-checksum-sha256).
    """
    exact = {
        "Content-Type": upload.media_type,
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": upload.checksum,
    }
    signed: dict[str, Any] = client("s3", for_links=True).generate_presigned_post(
        setting("IMAGES_BUCKET"),
        key,
        Fields=dict(exact),
        Conditions=[*({name: value} for name, value in exact.items()), ["content-length-range", upload.size, upload.size]],
        ExpiresIn=FORM_SECONDS,
    )
    return Form(signed["url"], signed["fields"])


def existing(prefix: str) -> str | None:
    """The first key below a prefix; None when there is none."""
    with translated():
        listed = client("s3").list_objects_v2(Bucket=setting("IMAGES_BUCKET"), Prefix=prefix, MaxKeys=1)
    keys = [str(entry["Key"]) for entry in listed.get("Contents", [])]
    return keys[0] if keys else None
