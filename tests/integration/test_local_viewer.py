"""The viewer's WSGI application against moto."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from moto import mock_aws
from werkzeug.test import Client

from local.viewer import make_app

BUCKET, RENDITIONS, TABLE = "images-bucket", "renditions-bucket", "images-table"
HARD_NAME = "<img src=x onerror=alert(1)> & \"50%\" 'später'.jpg"
STRING_KEYS = ("ImageId", "Source", "UploadedAt")
TEMPLATE = {
    "Resources": {
        "Images": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
        "Renditions": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": RENDITIONS}},
        "ImagesTable": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "ImageId", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in STRING_KEYS],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "BySource",
                        "KeySchema": [
                            {"AttributeName": "Source", "KeyType": "HASH"},
                            {"AttributeName": "UploadedAt", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ],
            },
        },
    },
    "Outputs": {
        "ImagesBucketName": {"Value": BUCKET},
        "RenditionsBucketName": {"Value": RENDITIONS},
        "ImagesTableName": {"Value": TABLE},
    },
}
MAILS = [
    {"to": "operator@example.com", "subject": "The first", "body": "one", "at": "2026-03-01T10:00:00.000Z"},
    {"to": "operator@example.com", "subject": "<b>second</b>", "body": "two", "at": "2026-03-01T10:01:00.000Z"},
]


class CapturedMails:
    def list(self) -> list[dict[str, str]]:
        return MAILS


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield


@pytest.fixture
def browser(aws: None) -> Client:
    boto3.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(TEMPLATE))
    return Client(make_app(None, mailbox=CapturedMails()))


def store(key: str, *, at: str = "2026-03-01T10:00:00.000Z", body: bytes = b"bytes", **attributes: Any) -> str:
    image_id = hashlib.sha256(f"{BUCKET}\n{key}".encode()).hexdigest()[:32]
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    owner = key.split("/")[1] if key.count("/") > 1 else "uploads"
    record = {
        "ImageId": image_id,
        "Bucket": BUCKET,
        "Key": key,
        "Version": "0123456789abcdef",
        "Status": "ANALYZED",
        "Format": "JPEG",
        "Source": owner,
        "UploadedAt": at,
    }
    boto3.resource("dynamodb").Table(TABLE).put_item(Item=record | attributes)
    return image_id


def keys(answer: Any) -> list[str]:
    return [image["Key"] for image in answer.json["images"]]


def test_lists_the_images_of_all_owners_newest_first(browser: Client) -> None:
    store("uploads/front-door/b.jpg", at="2026-03-01T10:02:00.000Z")
    store("uploads/no-folder.jpg", at="2026-03-01T10:03:00.000Z")
    store("uploads/gate/a.jpg", at="2026-03-01T10:01:00.000Z")

    answer = browser.get("/api/images")

    assert keys(answer) == ["uploads/no-folder.jpg", "uploads/front-door/b.jpg", "uploads/gate/a.jpg"]
    assert answer.json["next"] is None
    assert answer.json["total"] == 3


def test_pages_give_each_image_once_even_when_many_were_uploaded_in_the_same_millisecond(browser: Client) -> None:
    names = {f"uploads/{owner}/{n}.jpg" for owner in ("gate", "door") for n in range(8)}
    for name in names:
        store(name)

    seen: list[str] = []
    after = ""
    for _ in range(len(names)):
        answer = browser.get(f"/api/images?limit=3{after}")
        seen += keys(answer)
        if answer.json["next"] is None:
            break
        after = f"&after={quote(answer.json['next'])}"

    assert len(seen) == len(names)
    assert set(seen) == names


def test_a_card_has_the_labels_with_the_highest_confidence_and_the_moderation_status(browser: Client) -> None:
    labels = [{"Name": f"Label {n}", "Confidence": Decimal(50 + n), "Instances": []} for n in range(7)]
    store(
        "uploads/gate/a.jpg",
        Labels=labels,
        Moderation={"Status": "NOT_CHECKED", "Reason": "No model.", "Labels": []},
        MatchedRules=[
            {"RuleId": "r", "Name": "Person at the door", "Matches": []},
            {"RuleId": "s", "Name": "Night", "Matches": [], "Muted": "outside its active hours"},
        ],
    )

    (card,) = browser.get("/api/images").json["images"]

    assert [label["Name"] for label in card["BestLabels"]] == ["Label 6", "Label 5", "Label 4", "Label 3", "Label 2"]
    assert card["Moderation"] == {"Status": "NOT_CHECKED", "Labels": []}
    assert card["MatchedRules"] == ["Person at the door", "Night (muted)"]
    assert "Labels" not in card


def test_one_image_is_returned_completely_with_numbers_as_json_numbers(browser: Client) -> None:
    box = {side: Decimal("0.25") for side in ("Left", "Top", "Width", "Height")}
    label = {"Name": "Cat", "Confidence": Decimal("91.5"), "Instances": [{"BoundingBox": box}]}
    image_id = store("uploads/gate/a.jpg", Labels=[label], Width=640)

    record = browser.get(f"/api/images/{image_id}").json

    assert record["Labels"][0]["Confidence"] == 91.5
    assert record["Labels"][0]["Instances"][0]["BoundingBox"]["Left"] == 0.25
    assert record["Width"] == 640


@pytest.mark.parametrize("path", ["/api/images/", "/thumbnails/", "/pictures/"])
def test_an_unknown_image_is_a_404_with_a_sentence(browser: Client, path: str) -> None:
    answer = browser.get(path + "0" * 32)

    assert answer.status_code == 404
    assert answer.json["error"].startswith("There is no image 000")
    assert answer.json["error"].endswith(".")


def test_the_page_of_an_unknown_image_has_status_404(browser: Client) -> None:
    image_id = store("uploads/gate/a.jpg")

    assert browser.get(f"/images/{image_id}").status_code == 200
    unknown = browser.get("/images/" + "0" * 32)
    assert unknown.status_code == 404
    assert "viewer.js" in unknown.text


@pytest.mark.parametrize("path", ["/", "/mailbox", "/mailbox/2", "/executions/arn:aws:states:x", "/static/viewer.js"])
def test_the_page_forbids_foreign_scripts_and_resources(browser: Client, path: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_difficult_file_name_stays_data_in_the_json_responses(browser: Client) -> None:
    image_id = store(f"uploads/gate/{HARD_NAME}")

    answer = browser.get(f"/api/images/{image_id}")

    assert answer.json["Key"] == f"uploads/gate/{HARD_NAME}"
    assert answer.content_type == "application/json"


def test_the_script_never_creates_markup_from_data(browser: Client) -> None:
    script = browser.get("/static/viewer.js").text

    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"):
        assert way not in script


def test_an_upload_goes_to_the_browsers_folder_under_its_own_name(browser: Client) -> None:
    answer = browser.put(f"/api/uploads/{quote(HARD_NAME)}", data=b"photo", headers={"X-Imagewatch": "upload"})

    assert answer.status_code == 201
    key = f"uploads/browser/{HARD_NAME}"
    assert answer.json == {
        "Key": key,
        "ImageId": hashlib.sha256(f"{BUCKET}\n{key}".encode()).hexdigest()[:32],
        "Again": False,
        "RenamedFrom": None,
    }
    assert boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"photo"


def test_an_upload_never_replaces_another_picture_of_the_same_name(browser: Client) -> None:
    def put(data: bytes) -> dict[str, Any]:
        answer = browser.put("/api/uploads/photo.jpg", data=data, headers={"X-Imagewatch": "upload"})
        assert answer.status_code == 201
        return dict(answer.json)

    first, second, again, second_again = put(b"one"), put(b"two"), put(b"one"), put(b"two")

    assert first["Key"] == again["Key"] == second["RenamedFrom"] == "uploads/browser/photo.jpg"
    assert second["Key"] == second_again["Key"] == f"uploads/browser/photo-{hashlib.sha256(b'two').hexdigest()[:8]}.jpg"
    assert second["ImageId"] != first["ImageId"]
    assert [one["Again"] for one in (first, second, again, second_again)] == [False, False, True, True]
    for stored, content in ((first, b"one"), (second, b"two")):
        assert boto3.client("s3").get_object(Bucket=BUCKET, Key=stored["Key"])["Body"].read() == content


@pytest.mark.parametrize("name", ["a/b/../photo.jpg", "C:\\photos\\photo.jpg", "pho\x00to.jpg", "photo.jpg "])
def test_an_uploads_name_is_only_the_last_part_of_a_path(browser: Client, name: str) -> None:
    answer = browser.put(f"/api/uploads/{quote(name)}", data=b"photo", headers={"X-Imagewatch": "upload"})

    assert answer.json["Key"] == "uploads/browser/photo.jpg"


def test_another_sites_page_cannot_upload(browser: Client) -> None:
    answer = browser.put("/api/uploads/photo.jpg", data=b"photo")

    assert answer.status_code == 403
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=BUCKET)


def test_an_empty_upload_is_refused_with_its_name(browser: Client) -> None:
    answer = browser.put("/api/uploads/photo.jpg", data=b"", headers={"X-Imagewatch": "upload"})

    assert answer.status_code == 400
    assert answer.json["error"] == "photo.jpg is empty."


def test_the_picture_of_a_converted_image_is_the_copy_that_was_analysed(browser: Client) -> None:
    image_id = store("uploads/gate/a.heic", Format="HEIC", Conversion="Analysed a JPEG copy.")
    boto3.client("s3").put_object(Bucket=RENDITIONS, Key=f"analysis/{image_id}/0123456789abcdef.jpg", Body=b"converted")

    answer = browser.get(f"/pictures/{image_id}")

    assert answer.data == b"converted"
    assert answer.content_type == "image/jpeg"


def test_the_picture_of_a_jpeg_is_the_upload_with_the_type_that_its_bytes_had(browser: Client) -> None:
    image_id = store("uploads/gate/page.html", body=b"jpeg bytes", Format="JPEG")

    answer = browser.get(f"/pictures/{image_id}")

    assert answer.data == b"jpeg bytes"
    assert answer.content_type == "image/jpeg"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_file_that_is_not_an_image_is_never_served_unchanged(browser: Client) -> None:
    image_id = store("uploads/gate/a.jpg", body=b"<script>alert(1)</script>", Status="REJECTED", Format="")

    answer = browser.get(f"/pictures/{image_id}")

    assert answer.status_code == 404
    assert answer.json["error"] == "There is no picture to show for this image."


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xd8\xff\xe0 jpeg", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n png", "image/png"),
        (b"GIF89a gif", "image/gif"),
        (b"RIFF\x04\x00\x00\x00WEBP", "image/webp"),
    ],
)
@pytest.mark.parametrize("path", ["/pictures/", "/thumbnails/"])
def test_a_failed_image_without_format_and_thumbnail_shows_its_picture(
    browser: Client, path: str, body: bytes, content_type: str
) -> None:
    image_id = store("uploads/gate/a.bin", body=body, Status="FAILED", Format="")

    answer = browser.get(path + image_id)

    assert (answer.status_code, answer.data, answer.content_type) == (200, body, content_type)


def test_a_failed_image_shows_the_thumbnail_that_was_written_before_it_failed(browser: Client) -> None:
    image_id = store("uploads/gate/a.heic", Status="FAILED", Format="")
    boto3.client("s3").put_object(Bucket=RENDITIONS, Key=f"thumbnails/{image_id}/0123456789abcdef-1234.jpg", Body=b"small")

    assert browser.get(f"/thumbnails/{image_id}").data == b"small"
    assert browser.get(f"/pictures/{image_id}").data == b"small"


def test_the_problems_of_the_stack_are_listed(browser: Client) -> None:
    assert browser.get("/api/problems").json == {"problems": []}
    troubled = Client(make_app(None, problems=lambda: ["the disk is full"]))
    assert troubled.get("/api/problems").json == {"problems": ["the disk is full"]}


def test_the_thumbnail_comes_from_the_renditions_bucket(browser: Client) -> None:
    image_id = store("uploads/gate/a.jpg", Thumbnail="thumbnails/x.jpg")
    boto3.client("s3").put_object(Bucket=RENDITIONS, Key="thumbnails/x.jpg", Body=b"small")

    assert browser.get(f"/thumbnails/{image_id}?v=1").data == b"small"


def test_the_mailbox_is_listed_newest_first_with_numbers_that_stay(browser: Client) -> None:
    mails = browser.get("/api/mailbox").json["mails"]

    assert [(mail["number"], mail["subject"]) for mail in mails] == [(2, "<b>second</b>"), (1, "The first")]


def test_an_execution_is_shown_state_by_state_with_branches_and_errors(browser: Client) -> None:
    failing = {"Type": "Fail", "Error": "ImageBroken", "Cause": json.dumps({"errorMessage": "It can't be read."})}
    branch = {"StartAt": "Detect Labels", "States": {"Detect Labels": {"Type": "Pass", "End": True}}}
    states = {
        "Analyze Image": {"Type": "Parallel", "Branches": [branch], "Next": "Failed"},
        "Failed": failing,
    }
    machine = boto3.client("stepfunctions").create_state_machine(
        name="analyze",
        definition=json.dumps({"StartAt": "Analyze Image", "States": states}),
        roleArn="arn:aws:iam::123456789012:role/any",
    )["stateMachineArn"]
    arn = boto3.client("stepfunctions").start_execution(
        stateMachineArn=machine, name="photo", input=json.dumps({"image": {"ImageId": "f" * 32}})
    )["executionArn"]
    deadline = time.monotonic() + 20
    while boto3.client("stepfunctions").describe_execution(executionArn=arn)["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.02)

    shown = browser.get(f"/api/executions/{quote(arn)}").json

    assert [(step["State"], step["Within"]) for step in shown["Steps"]] == [
        ("Analyze Image", []),
        ("Detect Labels", ["Analyze Image"]),
        ("Failed", []),
    ]
    assert [(step["State"], step["Status"]) for step in shown["Steps"]] == [
        ("Analyze Image", "SUCCEEDED"),
        ("Detect Labels", "SUCCEEDED"),
        ("Failed", "FAILED"),
    ]
    assert all("DurationMs" in step for step in shown["Steps"])
    assert shown["Status"] == "FAILED"
    assert (shown["Error"], shown["Cause"]) == ("ImageBroken", "It can't be read.")
    assert shown["ImageId"] == "f" * 32
    assert shown["Events"][0]["Type"] == "ExecutionStarted"


def test_an_unknown_execution_is_a_404_with_a_sentence(browser: Client) -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:analyze:gone"

    answer = browser.get(f"/api/executions/{quote(arn)}")

    assert answer.status_code == 404
    assert answer.json["error"].startswith(f"There is no execution {arn}")


def test_before_the_stack_is_deployed_the_page_says_so(aws: None) -> None:
    answer = Client(make_app(None)).get("/api/images")

    assert answer.status_code == 503
    assert answer.json["error"] == "The stack “imagewatch” isn't deployed yet."


def test_an_endpoint_that_doesnt_answer_is_reported_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    answer = Client(make_app("http://127.0.0.1:9")).get("/api/images")

    assert answer.status_code == 503
    assert answer.json["error"].startswith("The local stack doesn't answer.")
