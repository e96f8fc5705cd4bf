"""Validate Image on moto: one read, one thumbnail, and a copy only where Rekognition needs one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from imagewatch.aws import s3
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


def test_an_archived_object_is_rejected_with_advice(stack: Stack, uploaded: Event) -> None:
    body = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
    answer = stack.client("s3").put_object(Bucket=uploaded["Bucket"], Key=uploaded["Key"], Body=body, StorageClass="GLACIER")
    with pytest.raises(ImageRejected, match=r"^The object is archived .* Restore it"):
        validate(stack, {**uploaded, "VersionId": answer["VersionId"]})


@pytest.mark.parametrize(
    ("operation", "code", "message", "reason"),
    [
        ("head_object", "400", "Bad Request", "encrypted with a key that only its uploader has"),
        (
            "get_object",
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided.",
            "encrypted with a key that only its uploader has",
        ),
        ("get_object", "KMS.DisabledException", "arn:aws:kms:eu-west-1:1:key/1 is disabled.", "encrypted with a KMS key"),
        ("get_object", "AccessDenied", "User: x is not authorized to perform: kms:Decrypt on resource: y", "KMS key"),
        ("get_object", "InvalidObjectState", "The operation is not valid for the object's access tier", "archived"),
    ],
)
def test_an_object_that_s3_does_not_give_out_is_rejected_with_advice(
    stack: Stack, uploaded: Event, monkeypatch: pytest.MonkeyPatch, operation: str, code: str, message: str, reason: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)

    def refuse(**_: Any) -> None:
        raise error

    stack.use_environment("ValidateImage")
    monkeypatch.setattr(s3.client("s3"), operation, refuse)
    with pytest.raises(ImageRejected, match=reason):
        validate(stack, uploaded)


def test_a_read_that_the_role_does_not_allow_stays_a_failure(
    stack: Stack, uploaded: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: s3:GetObjectVersion"}}, "x")

    def refuse(**_: Any) -> None:
        raise denied

    stack.use_environment("ValidateImage")
    monkeypatch.setattr(s3.client("s3"), "get_object", refuse)
    with pytest.raises(ClientError):
        validate(stack, uploaded)


def test_the_record_says_how_much_of_a_file_was_analysed(stack: Stack, uploaded: Event) -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (120, 90), colour) for colour in ("black", "red", "green")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    record = validate(stack, upload(stack, uploaded, buffer.getvalue()))["Record"]
    assert (record["Frames"], record["Coverage"]) == (3, "Only the first of 3 pictures in the file was analysed.")


def test_a_repeated_validation_writes_the_same_renditions(stack: Stack, uploaded: Event) -> None:
    first = validate(stack, uploaded)
    assert validate(stack, uploaded) == first
    assert stack.keys("RenditionsBucket") == [ImageVersion.from_state(uploaded).thumbnail_key]
