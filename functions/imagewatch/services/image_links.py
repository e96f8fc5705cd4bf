"""Links to the files of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.api.image_documents import Links
from imagewatch.api.viewer import Viewer
from imagewatch.aws.hourly_links import hourly_link
from imagewatch.aws.settings import setting
from imagewatch.images.version import ANNOTATED_PREFIX, THUMBNAILS_PREFIX

# A file whose content is not an image could be a page with a script. It is saved and not shown.
_SAVED = {"ResponseContentDisposition": "attachment"}


def thumbnail_link(record: Mapping[str, Any]) -> Links:
    """What a list of images needs."""
    return Links(thumbnail=_rendition(record["Thumbnail"]) if "Thumbnail" in record else "")


def all_links(record: Mapping[str, Any], viewer: Viewer) -> Links:
    """Every link. The pictures of alerts name rules, so that only operators see them."""
    version = {"VersionId": record["VersionId"]} if record.get("VersionId") else {}
    original = hourly_link(record["Bucket"], record["Key"], {**version, **_SAVED})
    renditions = [key for artifacts in record["Stored"] for key in artifacts["Renditions"]]
    annotated = [key for key in renditions if key.startswith(ANNOTATED_PREFIX)] if viewer.is_operator else []
    thumbnail = record.get("Thumbnail") or next((key for key in renditions if key.startswith(THUMBNAILS_PREFIX)), "")
    return Links(original, _rendition(thumbnail) if thumbnail else "", {_rule_of(key): _rendition(key) for key in annotated})


def _rendition(key: str) -> str:
    return hourly_link(setting("RENDITIONS_BUCKET"), key)


def _rule_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".jpg")
