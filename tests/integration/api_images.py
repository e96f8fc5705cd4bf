"""Stores images as the workflow does, for tests of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewatch.images.version import ImageVersion, comparable_sequencer

from .conftest import Stack, leased, sample_event

Image = dict[str, Any]


def label(name: str, confidence: float = 99.0, parents: Sequence[str] = ()) -> dict[str, Any]:
    return {"Name": name, "Confidence": confidence, "Parents": list(parents), "Aliases": [], "Categories": [], "Instances": []}


def analysed(
    stack: Stack, key: str, *labels: Mapping[str, Any], minute: int = 0, rules: Sequence[Mapping[str, Any]] = (), **record: Any
) -> Image:
    """Uploads a file and stores its analysis; returns the image's state form. A later `minute` is a later upload."""
    answer = stack.client("s3").put_object(Bucket=stack.name("ImagesBucket"), Key=key, Body=b"a picture")
    version = ImageVersion(
        bucket=stack.name("ImagesBucket"),
        key=key,
        version_id=answer["VersionId"],
        etag=answer["ETag"].strip('"'),
        sequencer=comparable_sequencer(f"{minute + 1:016X}"),
        size=9,
        uploaded_at=f"2026-11-20T{9 + minute // 60:02}:{minute % 60:02}:00.000Z",
    )
    image = leased(stack, version.to_state())
    event = sample_event("store_analysis")
    findings = {**event["Findings"], "Labels": {"Labels": list(labels), "ModelVersion": "3.0"}}
    thumbnail = {"Thumbnail": version.thumbnail_key}
    stack.client("s3").put_object(Bucket=stack.name("RenditionsBucket"), Key=version.thumbnail_key, Body=b"a thumbnail")
    stored = {**event, "Image": image, "Findings": findings, "Record": {**event["Record"], **thumbnail, **record}}
    assert stack.handler("StoreAnalysis")(stored)["Stored"]
    return image


def add_count(stack: Stack, viewer: str, term: str, name: str, images: int) -> None:
    """Writes how many images of a viewer have a term, as the update of the counts does."""
    item = {"Posting": f"{viewer}|counts", "Position": term, "Name": name, "Images": images}
    stack.put_item("SearchIndexTable", item)
