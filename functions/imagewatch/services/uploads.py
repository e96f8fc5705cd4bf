"""Uploads of people: forms for new files, the images of files that are stored already, and how uploads have ended."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from imagewatch.aws import uploads as forms
from imagewatch.aws.clients import client
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import image_items
from imagewatch.aws.uploads import Form
from imagewatch.images.upload import Upload, prefix_of
from imagewatch.images.version import image_id

_CONCURRENT = 10  # requests to S3

Record = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """What is to be done with one file: send it with `form`, or nothing, because its content is stored."""

    upload: Upload
    key: str
    image_id: str
    form: Form | None = None
    record: Record | None = None
    """The stored image's record; None until its analysis begins."""


def prepare(owner: str, uploads: Sequence[Upload]) -> list[Prepared]:
    """One result for each upload, in their order. Uploads of the same content have the same key and form."""
    first = {upload.sha256: upload for upload in reversed(uploads)}
    client("s3")  # made before the threads start, which would each make one
    with ThreadPoolExecutor(_CONCURRENT) as threads:
        keys = dict(zip(first, threads.map(lambda one: forms.existing(one.prefix(owner)), first.values()), strict=True))
    bucket = setting("IMAGES_BUCKET")
    stored = {sha256: image_id(bucket, key) for sha256, key in keys.items() if key}
    records = image_items.several(list(stored.values()))
    ready: dict[str, Prepared] = {}
    for sha256, upload in first.items():
        key = keys[sha256] or upload.key(owner)
        form = None if keys[sha256] else forms.form(upload, key)
        ready[sha256] = Prepared(upload, key, image_id(bucket, key), form, records.get(stored.get(sha256, "")))
    return [ready[upload.sha256] for upload in uploads]


def records_of(owner: str, image_ids: Sequence[str]) -> dict[str, Record | None]:
    """The record of each of these images; None for one that has none yet, or belongs to another person."""
    records = image_items.several(image_ids)
    mine = {one: record for one, record in records.items() if record["Key"].startswith(prefix_of(owner))}
    return {one: mine.get(one) for one in image_ids}
