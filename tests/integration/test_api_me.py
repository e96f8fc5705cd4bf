"""Api Me: shows who is signed in; deletes all images of a person, whatever became of them, and then the account."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from imagewatch.aws import sign_in, versions
from imagewatch.services import image_deletion
from tests.api_events import OTHER_SUB, SUB, api_event, body_of

from .api import OPERATORS, call
from .api_images import analysed, label
from .conftest import CONTEXT, Stack


@pytest.fixture
def deleted_users(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The access tokens with which accounts were deleted."""
    tokens: list[str] = []
    monkeypatch.setattr(sign_in, "delete_user", tokens.append)
    return tokens


def test_the_person_is_the_one_of_the_token(stack: Stack) -> None:
    assert call(stack, "GET", "/me").body == {"Sub": SUB, "Groups": [], "IsOperator": False, "Prefix": f"people/{SUB}/"}
    assert call(stack, "GET", "/me", user=OPERATORS).body["IsOperator"] is True


def objects(stack: Stack, prefix: str) -> list[Any]:
    page = stack.client("s3").list_object_versions(Bucket=stack.name("ImagesBucket"), Prefix=prefix)
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def test_every_image_of_the_person_is_deleted_and_then_the_account(stack: Stack, deleted_users: list[str]) -> None:
    for number in range(3):
        analysed(stack, f"people/{SUB}/{number}/a.jpg", label("Person"), minute=number)
    theirs = analysed(stack, f"people/{OTHER_SUB}/0/a.jpg", label("Person"), minute=9)
    longer = f"people/{SUB}0/0/a.jpg"  # another person whose id begins with this one's
    s3, bucket = stack.client("s3"), stack.name("ImagesBucket")
    for key in (longer, f"people/{SUB}/no-record.jpg", f"people/{SUB}/removed.jpg"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key=f"people/{SUB}/removed.jpg")
    reply = call(stack, "DELETE", "/me", headers={"Authorization": "Bearer the-token"})
    assert reply.body == {"Deleted": 5, "Done": True}
    assert deleted_users == ["the-token"]
    assert objects(stack, f"people/{SUB}/") == []
    assert len(objects(stack, longer)) == len(objects(stack, theirs["Key"])) == 1
    assert [record["ImageId"] for record in stack.items("ImagesTable")] == [theirs["ImageId"]]
    left = [item for item in stack.items("SearchIndexTable") if "#" in item["Position"]]
    assert {item["Position"].split("#")[-2] for item in left} == {theirs["ImageId"]}
    assert not [key for key in stack.keys("RenditionsBucket") if theirs["ImageId"] not in key]


def test_without_enough_time_the_account_stays_until_a_later_request_is_done(
    stack: Stack, deleted_users: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_deletion, "CONCURRENT", 1)
    for number in range(2):
        analysed(stack, f"people/{SUB}/{number}/a.jpg", label("Person"), minute=number)
    over = iter([False, True])
    monkeypatch.setattr(image_deletion.Time, "is_over", property(lambda _: next(over, False)))
    assert call(stack, "DELETE", "/me").body == {"Deleted": 1, "Done": False}
    assert deleted_users == []
    assert len(stack.items("ImagesTable")) == 1
    assert call(stack, "DELETE", "/me").body == {"Deleted": 1, "Done": True}
    assert len(deleted_users) == 1


def test_time_is_over_before_the_functions_end() -> None:
    assert not image_deletion.Time(image_deletion.RESERVE_SECONDS + 5).is_over
    assert image_deletion.Time(image_deletion.RESERVE_SECONDS).is_over


def test_a_version_that_s3_does_not_delete_keeps_the_account(
    stack: Stack, deleted_users: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed(stack, f"people/{SUB}/0/a.jpg", label("Person"))
    client = SimpleNamespace(
        list_object_versions=stack.client("s3").list_object_versions,
        delete_objects=lambda **_: {"Errors": [{"Code": "InternalError", "Message": "We failed."}]},
    )
    monkeypatch.setattr(versions, "client", lambda _: client)
    with stack.environment("ApiMe"):
        from api_me import handler

        answer = handler(api_event("DELETE", "/me"), CONTEXT)
    assert (answer["statusCode"], body_of(answer)["status"], deleted_users) == (503, 503, [])
