"""Validate Image on moto: one read, one thumbnail, and a copy only where Rekognition needs one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from imagewatch.errors import ImageGone, ImageRejected
from imagewatch.images.version import ImageVersion

from .conftest import ROOT, Event, Stack


def upload(stack: Stack, image: Event, body: bytes) -> Event:
    answer = stack.client("s3").put_object(Bucket=image["Bucket"], Key=image["Key"], Body=body)
    return {**image, "VersionId": answer["VersionId"], "Size": len(body)}


def validate(stack: Stack, image: Event) -> dict[str, Any]:
    answer: dict[str, Any] = stack.handler("ValidateImage")({"Image": image, "ExecutionArn": "arn:execution"})
    return answer


def test_a_jpeg_is_analysed_as_it_is_and_gets_a_thumbnail(stack: Stack, uploaded: Event) -> None:
    answer = validate(stack, uploaded)
    assert answer["Object"] == {"Bucket": uploaded["Bucket"], "Key": uploaded["Key"], "VersionId": uploaded["VersionId"]}
    assert answer["Record"]["Format"] == "JPEG"
    assert (answer["Record"]["Width"], answer["Record"]["Height"]) == (512, 512)
    assert stack.keys("RenditionsBucket") == [answer["Record"]["Thumbnail"]]


def test_what_rekognition_cannot_read_is_converted_and_the_record_says_so(stack: Stack, uploaded: Event) -> None:
    image = upload(stack, uploaded, (ROOT / "samples" / "coffee-cup.webp").read_bytes())
    answer = validate(stack, image)

    assert answer["Object"]["Bucket"] == stack.name("RenditionsBucket")
    assert answer["Record"]["Conversion"] == "A JPEG copy was analysed: Rekognition does not read WebP."
    copy = stack.client("s3").get_object(Bucket=answer["Object"]["Bucket"], Key=answer["Object"]["Key"])["Body"].read()
    assert Image.open(io.BytesIO(copy)).format == "JPEG"


def test_reads_the_version_that_the_event_announced_not_the_newest(stack: Stack, uploaded: Event) -> None:
    upload(stack, uploaded, b"a newer version that is no image")
    assert validate(stack, uploaded)["Record"]["Format"] == "JPEG"


def test_an_object_that_was_removed_meanwhile_is_gone(stack: Stack, uploaded: Event) -> None:
    stack.client("s3").delete_object(Bucket=uploaded["Bucket"], Key=uploaded["Key"])
    with pytest.raises(ImageGone, match="removed or replaced"):
        validate(stack, uploaded)
    assert stack.keys("RenditionsBucket") == []


def test_without_versions_an_object_that_was_replaced_meanwhile_is_gone(stack: Stack, uploaded: Event) -> None:
    with pytest.raises(ImageGone):
        validate(stack, {**uploaded, "VersionId": "", "ETag": "another-etag"})


def test_text_under_a_photos_name_is_rejected_with_the_reason(stack: Stack, uploaded: Event) -> None:
    image = upload(stack, uploaded, (ROOT / "samples" / "shopping-list.jpg").read_bytes())
    with pytest.raises(ImageRejected, match="text, not an image"):
        validate(stack, image)
    assert stack.keys("RenditionsBucket") == []


def test_a_file_too_large_to_decode_is_rejected_without_being_read(stack: Stack, uploaded: Event) -> None:
    stack.client("s3").delete_object(Bucket=uploaded["Bucket"], Key=uploaded["Key"])  # reading it would say "gone"
    with pytest.raises(ImageRejected, match="reads files up to 100 MB"):
        validate(stack, {**uploaded, "Size": 101 * 1024 * 1024})


def test_a_repeated_validation_writes_the_same_renditions(stack: Stack, uploaded: Event) -> None:
    first = validate(stack, uploaded)
    assert validate(stack, uploaded) == first
    assert stack.keys("RenditionsBucket") == [ImageVersion.from_state(uploaded).thumbnail_key]
