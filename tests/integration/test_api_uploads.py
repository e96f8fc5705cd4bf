"""Api Uploads: forms that accept exactly one content, and the state of uploads."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from imagewatch.images.version import image_id
from tests.api_events import OTHER_SUB, SUB, claims

from .api import call
from .conftest import Stack

CONTENT = b"the bytes of a picture"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def a_file(name: str = "gate.jpg", content: bytes = CONTENT, **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"Name": name, "Size": len(content), "ContentType": "image/jpeg", "Sha256": digest, **changes}


def create(stack: Stack, *files: Any, sub: str = SUB) -> list[dict[str, Any]]:
    reply = call(stack, "POST", "/uploads", body={"Files": list(files)}, user=claims(sub))
    assert reply.status == 200, reply.body
    uploads: list[dict[str, Any]] = reply.body["Uploads"]
    return uploads


def conditions(upload: dict[str, Any]) -> list[Any]:
    policy = json.loads(base64.b64decode(upload["Form"]["Fields"]["policy"]))
    found: list[Any] = policy["conditions"]
    return found


def test_a_form_accepts_exactly_the_key_size_type_and_content_that_were_named(stack: Stack) -> None:
    (upload,) = create(stack, a_file())
    fields = upload["Form"]["Fields"]
    checksum = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert fields["key"] == f"people/{SUB}/{SHA256[:32]}/gate.jpg"
    signed = conditions(upload)
    for expected in (
        {"key": fields["key"]},
        {"Content-Type": "image/jpeg"},
        {"x-amz-checksum-sha256": checksum},
        {"x-amz-checksum-algorithm": "SHA256"},
        ["content-length-range", len(CONTENT), len(CONTENT)],
        {"bucket": stack.name("ImagesBucket")},
    ):
        assert expected in signed
    assert (upload["Name"], upload["Status"], upload["Exists"]) == ("gate.jpg", "WAITING", False)
    assert upload["ImageId"] == image_id(stack.name("ImagesBucket"), fields["key"])


def test_files_of_one_name_get_different_keys_and_files_of_one_content_the_same(stack: Stack) -> None:
    first, other, same = create(stack, a_file(), a_file(content=b"other"), a_file("copy.jpg"))
    assert first["ImageId"] == same["ImageId"] != other["ImageId"]
    assert first["Form"] == same["Form"]


def test_the_prefix_comes_from_the_token(stack: Stack) -> None:
    (mine,), (theirs,) = create(stack, a_file()), create(stack, a_file(), sub=OTHER_SUB)
    assert mine["ImageId"] != theirs["ImageId"]
    assert theirs["Form"]["Fields"]["key"].startswith(f"people/{OTHER_SUB}/")


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("../../other/gate.jpg", "gate.jpg"), ("C:\\photos\\gate.jpg", "gate.jpg"), ("a\u202egpj.jpg", "a-gpj.jpg"),
        ("....", "image"), (".jpg", "image.jpg"), ("Caf\u0065\u0301.jpg", "Caf\u00e9.jpg"),
        ("x" * 250 + ".jpg", "x" * 196 + ".jpg"),
        ("\u00e9" * 200 + ".heic", "\u00e9" * 97 + ".heic"),
    ],
)  # fmt: skip
def test_only_the_last_part_of_a_name_is_kept(stack: Stack, name: str, end: str) -> None:
    (upload,) = create(stack, a_file(name))
    assert upload["Form"]["Fields"]["key"] == f"people/{SUB}/{SHA256[:32]}/{end}"


def test_content_that_is_stored_already_needs_no_upload(stack: Stack) -> None:
    (upload,) = create(stack, a_file())
    key = upload["Form"]["Fields"]["key"]
    stack.client("s3").put_object(Bucket=stack.name("ImagesBucket"), Key=key, Body=CONTENT)
    (waiting,) = create(stack, a_file("another-name.jpg"))
    assert (waiting["Exists"], waiting["Status"], waiting["ImageId"]) == (True, "WAITING", upload["ImageId"])
    assert "Form" not in waiting
    stack.put_item("ImagesTable", record(stack, key, Status="REJECTED", Reason="It is too small."))
    (rejected,) = create(stack, a_file())
    assert (rejected["Status"], rejected["Reason"], rejected["Exists"]) == ("REJECTED", "It is too small.", True)
    (elsewhere,) = create(stack, a_file(), sub=OTHER_SUB)
    assert elsewhere["Exists"] is False


def record(stack: Stack, key: str, **attributes: Any) -> dict[str, Any]:
    bucket = stack.name("ImagesBucket")
    return {"ImageId": image_id(bucket, key), "Bucket": bucket, "Key": key, "Lease": "lease", **attributes}


def test_the_state_of_uploads_is_shown_in_order_and_only_to_their_owner(stack: Stack) -> None:
    mine, failed, theirs = f"people/{SUB}/a/a.jpg", f"people/{SUB}/b/b.jpg", f"people/{OTHER_SUB}/a/a.jpg"
    stack.put_item("ImagesTable", record(stack, mine, Status="ANALYZING"))
    stack.put_item("ImagesTable", record(stack, failed, Status="FAILED", Reason="It timed out."))
    stack.put_item("ImagesTable", record(stack, theirs, Status="FAILED", Reason="A secret."))
    ids = [image_id(stack.name("ImagesBucket"), key) for key in (theirs, mine, failed)] + ["f" * 32]
    shown = call(stack, "GET", "/uploads", {"id": ids}).body["Uploads"]
    assert shown == [
        {"ImageId": ids[0], "Status": "WAITING"},
        {"ImageId": ids[1], "Status": "ANALYZING"},
        {"ImageId": ids[2], "Status": "FAILED", "Reason": "It timed out."},
        {"ImageId": ids[3], "Status": "WAITING"},
    ]


@pytest.mark.parametrize(
    ("files", "pointers"),
    [
        ([], ["#/Files"]),
        ([a_file(Size=0)], ["#/Files/0/Size"]),
        ([a_file(Size=100 * 1024 * 1024 + 1)], ["#/Files/0/Size"]),
        ([a_file(), a_file(ContentType="text/html", Sha256="X")], ["#/Files/1/ContentType", "#/Files/1/Sha256"]),
        ([a_file(Sha256=SHA256.upper())], ["#/Files/0/Sha256"]),
        ([a_file(Key="people/other/x.jpg")], ["#/Files/0/Key"]),
        ([{}], ["#/Files/0/Name", "#/Files/0/Size", "#/Files/0/ContentType", "#/Files/0/Sha256"]),
        (["x"], ["#/Files/0"]),
        ("x", ["#/Files"]),
    ],
)  # fmt: skip
def test_every_mistake_of_a_file_is_refused_with_its_place(stack: Stack, files: Any, pointers: list[str]) -> None:
    reply = call(stack, "POST", "/uploads", body={"Files": files})
    assert (reply.status, sorted(reply.pointers)) == (400, sorted(pointers))


def test_more_than_a_hundred_files_are_refused_and_a_hundred_are_not(stack: Stack) -> None:
    files = [a_file(content=str(number).encode()) for number in range(101)]
    assert call(stack, "POST", "/uploads", body={"Files": files}).status == 400
    assert len(create(stack, *files[:100])) == 100
