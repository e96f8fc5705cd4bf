"""Everything that can happen to an image, told as calls of the functions: what each of them does on its way is recorded."""

from __future__ import annotations

import json

import pytest

from imagewatch.errors import ImageGone, ImageRejected

from .conftest import Event
from .recorded_calls import Account


def analysed(account: Account, found: Event) -> Event:
    """Takes an uploaded image through the whole workflow, up to the alert."""
    image = account.announce(found)
    validated = account.task("ValidateImage", image)
    for task in ("DetectLabels", "DetectModeration", "DetectText"):
        account.task(task, image, Object=validated["Object"])
    assert account.task("StoreAnalysis", image)["Stored"]
    assert account.task("EvaluateWatchlist", image)["MatchCount"] == 1
    assert account.task("SendAlert", image)["Sent"] == 1
    return image


def an_image_is_analysed_and_matches(account: Account) -> None:
    analysed(account, account.upload("uploads/door/new.jpg"))


def an_image_without_a_version_id_is_analysed(account: Account) -> None:
    """S3's events name no version for what was uploaded before versions were kept (or while that setting spreads)."""
    analysed(account, {**account.upload("uploads/door/unversioned.jpg"), "versionId": ""})


def an_image_that_rekognition_cannot_read_is_converted(account: Account) -> None:
    analysed(account, account.upload("uploads/door/converted.webp", "coffee-cup.webp"))


def an_image_is_overwritten(account: Account) -> None:
    for _ in range(2):
        analysed(account, account.upload("uploads/door/overwritten.jpg"))


def an_image_is_rejected(account: Account) -> None:
    """A new image, and one that takes an analysed image's place."""
    text = "shopping-list.jpg"
    analysed(account, account.upload("uploads/door/photo-then-text.jpg"))
    for key in ("uploads/door/text.jpg", "uploads/door/photo-then-text.jpg"):
        image = account.announce(account.upload(key, text))
        with pytest.raises(ImageRejected):
            account.task("ValidateImage", image)
        assert account.task("RecordRejection", image)["Status"] == "REJECTED"


def an_image_is_gone_before_it_is_read(account: Account) -> None:
    found = account.upload("uploads/door/gone.jpg")
    image = account.announce(found)
    account.client("s3").delete_object(Bucket=account.ref("ImagesBucket"), Key=found["key"])
    with pytest.raises(ImageGone):
        account.task("ValidateImage", image)
    error = {"Error": "ImageGone", "Cause": "The image was removed."}
    assert account.task("RecordRejection", image, Error=error)["Status"] == "GONE"


def a_step_fails(account: Account) -> None:
    """For a new image, and for one that takes an analysed image's place."""
    analysed(account, account.upload("uploads/door/analysed-then-failed.jpg"))
    for key in ("uploads/door/failed.jpg", "uploads/door/analysed-then-failed.jpg"):
        account.task("RecordFailure", account.announce(account.upload(key)))


def an_execution_is_interrupted_for_an_image_that_was_overwritten(account: Account) -> None:
    analysed(account, account.upload("uploads/door/interrupted.jpg"))
    image = account.announce(account.upload("uploads/door/interrupted.jpg"))
    detail = {"status": "TIMED_OUT", "executionArn": "arn:execution", "input": json.dumps({"image": image})}
    assert account.run("RecordInterruption", {"detail": detail}) == {"Recorded": True}


def an_image_is_removed(account: Account) -> None:
    found = account.upload("uploads/door/removed.jpg")
    analysed(account, found)
    marker = account.client("s3").delete_object(Bucket=account.ref("ImagesBucket"), Key=found["key"])["VersionId"]
    account.announce(found, "ObjectRemoved:DeleteMarkerCreated", versionId=marker)


def the_newest_version_is_deleted_for_good_and_then_the_other(account: Account) -> None:
    s3, bucket = account.client("s3"), account.ref("ImagesBucket")
    older, newer = (account.upload("uploads/door/deleted.jpg") for _ in range(2))
    account.announce(newer)
    for found in (newer, older):
        s3.delete_object(Bucket=bucket, Key=found["key"], VersionId=found["versionId"])
        account.announce(found, "ObjectRemoved:Delete")


SCENARIOS = (
    an_image_is_analysed_and_matches,
    an_image_without_a_version_id_is_analysed,
    an_image_that_rekognition_cannot_read_is_converted,
    an_image_is_overwritten,
    an_image_is_rejected,
    an_image_is_gone_before_it_is_read,
    a_step_fails,
    an_execution_is_interrupted_for_an_image_that_was_overwritten,
    an_image_is_removed,
    the_newest_version_is_deleted_for_good_and_then_the_other,
)
