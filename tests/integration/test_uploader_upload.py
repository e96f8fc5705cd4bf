"""`imagewatch upload` from its arguments to its exit code, against moto: a bucket, a table and a stack that names them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from imagewatch.images.version import image_id
from uploader.cli import main
from uploader.upload import transfer as upload_module
from uploader.upload import workers as pool
from uploader.upload.plan import PlannedUpload
from uploader.upload.transfer import NotUploaded, Outcome, Uploader
from uploader.upload.workers import Uploads

JPEG = b"\xff\xd8\xff\xe0 a picture, as far as its first bytes go"
BUCKET, TABLE = "imagewatch-test-images", "imagewatch-test-table"
Output = pytest.CaptureFixture[str]


def template(**outputs: str) -> str:
    """A stack with the outputs that the client reads; the resource is only there because a stack needs one."""
    return json.dumps(
        {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
    )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        yield


@pytest.fixture
def stack(aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "ImageId", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "ImageId", "KeyType": "HASH"}],
    )
    outputs = {"ImagesBucketName": BUCKET, "ImagesTableName": TABLE, "RenditionsBucketName": "renditions"}
    boto3.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=template(**outputs))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG + name.encode())
    (folder / "notes.txt").write_text("not a picture")
    return folder


def upload(*arguments: object, source: str = "cam") -> int:
    return main(["upload", *map(str, arguments), "--source", source])


def document(out: Output) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(out.readouterr().out)
    return content


def stored_keys() -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str, error: Callable[[str], Exception | None]) -> None:
    """Makes `operation` raise what `error` gives for its key (or stack, or table)."""
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, name: str, arguments: dict[str, Any]) -> Any:
        fault = error(str(arguments.get("Key", ""))) if name == operation else None
        if fault:
            raise fault
        return real(self, name, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)


def answer(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")


@contextmanager
def pipeline(**judgements: dict[str, Any]) -> Iterator[None]:
    """Plays the pipeline: records each new object version as ANALYZING, then with what `judgements` says of its name."""
    ended = threading.Event()

    def run() -> None:
        s3, table, seen = boto3.client("s3"), boto3.resource("dynamodb").Table(TABLE), set()
        while not ended.wait(0.02):
            # S3 lists the newest version of a key first. The record must end with that one.
            for version in reversed(s3.list_object_versions(Bucket=BUCKET).get("Versions", [])):
                if version["VersionId"] in seen:
                    continue
                seen.add(version["VersionId"])
                key = version["Key"]
                record = {"ImageId": image_id(BUCKET, key), "VersionId": version["VersionId"]}
                table.put_item(Item=record | {"Status": "ANALYZING"})
                judged = judgements.get(Path(key).stem, {"Status": "ANALYZED", "Labels": []})
                table.put_item(Item=record | judged)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


ANALYZED_CAT = {
    "Status": "ANALYZED",
    "Labels": [{"Name": "Cat", "Confidence": Decimal("98.7"), "Parents": ["Animal"], "Instances": []}],
    "Moderation": {"Status": "NOT_CHECKED", "Reason": "There is no model here.", "Labels": []},
    "MatchedRules": [{"RuleId": "r1", "Name": "Cat on camera", "Matches": []}],
}
REJECTED = {"Status": "REJECTED", "Reason": "The image is too small."}


# --- what is uploaded


def test_uploads_a_folder_and_says_where_it_went(stack: None, photos: Path, capsys: Output) -> None:
    assert upload(photos, "--recursive") == 0
    assert stored_keys() == ["uploads/cam/photos/a.jpg", "uploads/cam/photos/b.jpg", "uploads/cam/photos/sub/c.jpg"]
    out, err = capsys.readouterr()
    assert f"Uploaded 3 files ({3 * len(JPEG) + 19} bytes) to s3://{BUCKET}/uploads/cam/" in out
    assert f"1 file skipped: not an image (use --all to send them too): {photos / 'notes.txt'}" in out
    assert err == ""


def test_stores_content_type_and_metadata(stack: None, photos: Path) -> None:
    os.utime(photos / "a.jpg", (1_750_000_000, 1_750_000_000.25))
    assert upload(photos / "a.jpg", source="Vorgarten Süd") == 0
    stored = boto3.client("s3").head_object(Bucket=BUCKET, Key="uploads/vorgarten-süd/a.jpg")
    assert stored["ContentType"] == "image/jpeg"
    metadata = stored["Metadata"]
    assert metadata["sha256"] == hashlib.sha256((photos / "a.jpg").read_bytes()).hexdigest()
    assert metadata["mtime"] == "2025-06-15T15:06:40.250Z"
    assert metadata["source"].startswith("=?utf-8?")


def test_all_sends_what_is_no_image_too(stack: None, photos: Path) -> None:
    assert upload(photos, "--recursive", "--all") == 0
    assert "uploads/cam/photos/notes.txt" in stored_keys()


def test_the_document_describes_each_upload(stack: None, photos: Path, capsys: Output) -> None:
    assert upload(photos / "b.jpg", photos / "a.jpg", photos / "missing.jpg", "--json") == 1
    content = document(capsys)
    newest = boto3.client("s3").head_object(Bucket=BUCKET, Key="uploads/cam/b.jpg")
    assert content["uploaded"][0] == {
        "path": str(photos / "b.jpg"),
        "bucket": BUCKET,
        "key": "uploads/cam/b.jpg",
        "versionId": newest["VersionId"],
        "imageId": image_id(BUCKET, "uploads/cam/b.jpg"),
        "bytes": len(JPEG) + 5,
        "sha256": hashlib.sha256((photos / "b.jpg").read_bytes()).hexdigest(),
        "again": False,
        "renamedFrom": None,
    }
    assert [item["path"] for item in content["uploaded"]] == [str(photos / "b.jpg"), str(photos / "a.jpg")]
    assert content["failed"] == [{"path": str(photos / "missing.jpg"), "reason": "there is no such file"}]
    assert content["skipped"] == []


def test_an_upload_in_parts_also_knows_its_version(
    stack: None, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = TransferConfig(
        multipart_threshold=6_000_000, multipart_chunksize=6_000_000, use_threads=False,
        preferred_transfer_client="classic",
    )  # fmt: skip
    monkeypatch.setattr(upload_module, "_TRANSFER", parts)
    (tmp_path / "big.jpg").write_bytes(JPEG + bytes(11_000_000))
    assert upload(tmp_path / "big.jpg", "--json") == 0
    stored = boto3.client("s3").head_object(Bucket=BUCKET, Key="uploads/cam/big.jpg")
    assert stored["ETag"].endswith('-2"')
    assert document(capsys)["uploaded"][0]["versionId"] == stored["VersionId"]


# --- what fails


def test_each_failure_has_its_line_and_the_rest_is_uploaded(stack: None, photos: Path, capsys: Output) -> None:
    (photos / "empty.jpg").touch()
    assert upload(photos / "a.jpg", photos / "empty.jpg", photos / "sub", photos / "nothing") == 1
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        f"failed  {photos / 'empty.jpg'}: the file is empty",
        f"failed  {photos / 'sub'}: it's a folder; add --recursive to upload what is in it",
        f"failed  {photos / 'nothing'}: there is no such file",
    ]
    assert "3 files failed." in out
    assert stored_keys() == ["uploads/cam/a.jpg"]


def test_two_files_for_one_key_fail_both_and_the_others_are_uploaded(stack: None, photos: Path, capsys: Output) -> None:
    other = photos / "sub" / "a.jpg"
    other.write_bytes(JPEG)
    assert upload(photos / "a.jpg", photos / "b.jpg", other, "--json") == 1
    failed = document(capsys)["failed"]
    assert [item["path"] for item in failed] == [str(photos / "a.jpg"), str(other)]
    assert str(other) in failed[0]["reason"]
    assert str(photos / "a.jpg") in failed[1]["reason"]
    assert stored_keys() == ["uploads/cam/b.jpg"]


# --- keys that are taken


def albums(folder: Path, **contents: bytes) -> list[Path]:
    """Folders of these names, each with an IMG_0001.JPG that has this content."""
    found = []
    for name, content in contents.items():
        path = folder / name / "IMG_0001.JPG"
        path.parent.mkdir(parents=True)
        path.write_bytes(JPEG + content)
        found.append(path.parent)
    return found


def content_of(key: str) -> bytes:
    return boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()


def versions() -> int:
    return len(boto3.client("s3").list_object_versions(Bucket=BUCKET).get("Versions", []))


def test_two_folders_with_the_same_file_names_keep_both_photos(stack: None, tmp_path: Path) -> None:
    for folder in albums(tmp_path, y2019=b"beach", y2020=b"city"):
        assert upload(folder, "-r") == 0
    assert stored_keys() == ["uploads/cam/y2019/IMG_0001.JPG", "uploads/cam/y2020/IMG_0001.JPG"]


@pytest.mark.parametrize("named", [".", "../inner", "./", "../outer/../inner"])
def test_a_folder_has_its_name_in_the_key_by_whichever_path_it_is_named(
    stack: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    (inner,) = albums(tmp_path, inner=b"x")
    (tmp_path / "outer").mkdir()
    monkeypatch.chdir(inner)
    assert upload(named, "-r") == 0
    assert stored_keys() == ["uploads/cam/inner/IMG_0001.JPG"]


def test_a_photo_never_replaces_another_one_silently(stack: None, tmp_path: Path, capsys: Output) -> None:
    one, two = (folder / "IMG_0001.JPG" for folder in albums(tmp_path, one=b"beach", two=b"city"))
    assert upload(one) == 0
    capsys.readouterr()
    assert upload(two) == 0
    digest = hashlib.sha256(two.read_bytes()).hexdigest()
    other = f"uploads/cam/IMG_0001-{digest[:8]}.JPG"
    assert stored_keys() == [other, "uploads/cam/IMG_0001.JPG"]
    assert (content_of("uploads/cam/IMG_0001.JPG"), content_of(other)) == (one.read_bytes(), two.read_bytes())
    out = capsys.readouterr().out
    assert f"1 file got another key, because its own holds other content (--replace would overwrite it): {two} -> {other}" in out
    assert upload(two, "--json") == 0
    (entry,) = document(capsys)["uploaded"]
    assert (entry["key"], entry["renamedFrom"], entry["again"]) == (other, "uploads/cam/IMG_0001.JPG", True)
    assert stored_keys() == [other, "uploads/cam/IMG_0001.JPG"]


def test_replace_overwrites_the_key(stack: None, tmp_path: Path, capsys: Output) -> None:
    one, two = (folder / "IMG_0001.JPG" for folder in albums(tmp_path, one=b"beach", two=b"city"))
    assert upload(one) == upload(two, "--replace") == 0
    assert stored_keys() == ["uploads/cam/IMG_0001.JPG"]
    assert content_of("uploads/cam/IMG_0001.JPG") == two.read_bytes()
    assert "again" not in capsys.readouterr().out


def test_what_is_uploaded_again_is_counted_with_its_cost(stack: None, photos: Path, capsys: Output) -> None:
    assert upload(photos / "a.jpg", photos / "b.jpg") == 0
    assert "again" not in capsys.readouterr().out
    (photos / "new.jpg").write_bytes(JPEG)
    assert upload(photos / "a.jpg", photos / "b.jpg", photos / "new.jpg") == 0
    out = capsys.readouterr().out
    assert "Uploaded 3 files" in out
    assert (
        "2 files were uploaded again: their content was already there. They are analysed again, for about $0.004 "
        f"(2 Rekognition calls for each image): {photos / 'a.jpg'}, {photos / 'b.jpg'}" in out
    )
    assert versions() == 5


def test_the_same_content_from_another_program_is_recognised(stack: None, photos: Path, capsys: Output) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="uploads/cam/a.jpg", Body=(photos / "a.jpg").read_bytes())
    assert upload(photos / "a.jpg", "--json") == 0
    assert document(capsys)["uploaded"][0]["again"] is True
    assert stored_keys() == ["uploads/cam/a.jpg"]


def test_without_permission_to_read_nothing_is_overwritten(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upload(photos / "a.jpg") == 0
    refuse(monkeypatch, "HeadObject", lambda _: answer("403"))
    for _ in range(2):
        assert upload(photos / "a.jpg", photos / "b.jpg") == 0
    digests = {name: hashlib.sha256((photos / f"{name}.jpg").read_bytes()).hexdigest()[:8] for name in "ab"}
    assert stored_keys() == [
        f"uploads/cam/a-{digests['a']}.jpg",
        "uploads/cam/a.jpg",
        f"uploads/cam/b-{digests['b']}.jpg",
        "uploads/cam/b.jpg",
    ]


def test_a_large_file_for_a_taken_key_is_not_sent_in_vain(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_module, "_MULTIPART", 1)
    assert upload(photos / "a.jpg") == 0
    (photos / "a.jpg").write_bytes(JPEG + b"other")
    sent: list[str] = []

    def note(key: str) -> None:
        sent.append(key)

    refuse(monkeypatch, "PutObject", note)
    assert upload(photos / "a.jpg") == 0
    assert [key for key in sent if key == "uploads/cam/a.jpg"] == []
    assert len(sent) == 1


def test_an_object_that_is_deleted_at_the_same_moment_is_written_as_a_new_one(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upload(photos / "a.jpg") == 0
    calls: list[str] = []

    def delete_before_the_second(key: str) -> None:
        calls.append(key)
        if len(calls) == 2:
            boto3.client("s3").delete_object(Bucket=BUCKET, Key=key)

    capsys.readouterr()
    refuse(monkeypatch, "PutObject", delete_before_the_second)
    assert upload(photos / "a.jpg", "--json") == 0
    (entry,) = document(capsys)["uploaded"]
    assert (entry["key"], entry["again"], len(calls)) == ("uploads/cam/a.jpg", False, 3)
    assert stored_keys() == ["uploads/cam/a.jpg"]


@pytest.mark.parametrize("busy", [1, 3])
def test_a_write_at_the_same_time_is_tried_again(stack: None, photos: Path, monkeypatch: pytest.MonkeyPatch, busy: int) -> None:
    calls: list[str] = []

    def conflict(key: str) -> ClientError | None:
        calls.append(key)
        return answer("ConditionalRequestConflict") if len(calls) <= busy else None

    refuse(monkeypatch, "PutObject", conflict)
    assert upload(photos / "a.jpg") == 0
    assert stored_keys() == ["uploads/cam/a.jpg"]


def test_a_key_that_is_always_being_written_fails_with_a_reason(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "PutObject", lambda key: answer("ConditionalRequestConflict") if key.endswith("a.jpg") else None)
    assert upload(photos / "a.jpg", photos / "b.jpg") == 1
    assert "other clients write the same key at the same time" in capsys.readouterr().err
    assert stored_keys() == ["uploads/cam/b.jpg"]


def test_a_key_that_another_client_takes_at_the_same_moment_is_not_overwritten(
    stack: None, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def race(key: str) -> None:
        if key == "uploads/cam/a.jpg" and not taken:
            taken.append(key)
            boto3.client("s3").copy_object(Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/theirs")

    boto3.client("s3").put_object(Bucket=BUCKET, Key="theirs", Body=b"theirs")
    refuse(monkeypatch, "PutObject", race)
    assert upload(photos / "a.jpg") == 0
    assert content_of("uploads/cam/a.jpg") == b"theirs"
    assert len(stored_keys()) == 3


def test_access_denied_names_the_missing_permission(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "PutObject", lambda key: answer("AccessDenied") if key.endswith("b.jpg") else None)
    assert upload(photos, "--recursive") == 1
    err = capsys.readouterr().err
    assert f"{photos / 'b.jpg'}: access denied: these credentials may not write to s3://{BUCKET}/uploads/cam/photos/b.jpg" in err
    assert "s3:PutObject" in err
    assert len(stored_keys()) == 2


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("NoSuchBucket", "the images bucket is gone"),
        ("ExpiredToken", "credentials have expired"),
        ("InvalidAccessKeyId", "doesn't accept the credentials"),
    ],
)
def test_stops_at_a_failure_that_all_others_would_share(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    refuse(monkeypatch, "PutObject", lambda _: answer(code))
    assert upload(photos, "--recursive", "--concurrency", 1) == 1
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert says in err
    assert f"2 files not uploaded: {err.split(': ', 1)[1].strip()}" in out


def test_a_missing_bucket_is_reported_by_s3(stack: None, photos: Path, capsys: Output) -> None:
    boto3.client("s3").delete_bucket(Bucket=BUCKET)
    assert upload(photos / "a.jpg") == 1
    assert f"the images bucket {BUCKET} is gone" in capsys.readouterr().err


def test_a_network_failure_says_so(stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "PutObject", lambda _: EndpointConnectionError(endpoint_url="https://s3.example"))
    assert upload(photos / "a.jpg", "--json") == 1
    assert document(capsys)["failed"][0]["reason"].startswith("network: ")


def test_a_file_that_changes_while_it_is_sent_fails(stack: None, photos: Path) -> None:
    path = photos / "a.jpg"
    uploader = Uploader(boto3.client("s3"), BUCKET, "cam", lambda _: os.utime(path, (1, 1)))
    outcome = uploader.upload(PlannedUpload(path, "uploads/cam/a.jpg", 1, "image/jpeg"))
    assert isinstance(outcome, NotUploaded)
    assert "changed during" in outcome.reason


def test_a_file_that_vanished_since_it_was_found_fails(stack: None, photos: Path) -> None:
    uploader = Uploader(boto3.client("s3"), BUCKET, "cam", lambda _: None)
    outcome = uploader.upload(PlannedUpload(photos / "gone.jpg", "uploads/cam/gone.jpg", 1, "image/jpeg"))
    assert isinstance(outcome, NotUploaded)
    assert outcome.reason == "it is no longer there"


# --- the stack


def test_a_missing_stack_says_what_to_do(aws: None, photos: Path, capsys: Output) -> None:
    assert upload(photos / "a.jpg", "--stack", "other") == 1
    err = capsys.readouterr().err
    for hint in ("no stack named other", "us-east-1", "sam deploy", "--stack", "http://localhost:4566"):
        assert hint in err


def test_a_stack_of_something_else_says_which_output_it_lacks(aws: None, photos: Path, capsys: Output) -> None:
    outputs = template(ImagesBucketName=BUCKET)
    boto3.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=outputs)
    assert upload(photos / "a.jpg") == 1
    assert "no output ImagesTableName and no RenditionsBucketName" in capsys.readouterr().err


def test_without_a_stack_the_document_has_every_file_as_failed(aws: None, photos: Path, capsys: Output) -> None:
    assert upload(photos, "--recursive", "--json") == 1
    content = document(capsys)
    assert content["uploaded"] == []
    assert len(content["failed"]) == 3
    assert all("no stack named imagewatch" in item["reason"] for item in content["failed"])
    assert [item["reason"] for item in content["skipped"]] == ["not an image"]


def test_no_credentials_says_how_to_get_some(stack: None, photos: Path, capsys: Output) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:  # moto wants its own credentials back at the end
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        assert upload(photos / "a.jpg") == 1
    err = capsys.readouterr().err
    assert "no AWS credentials were found" in err
    assert "--endpoint-url http://localhost:4566" in err


def test_no_region_and_an_unknown_profile_are_explained(
    aws: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert upload(photos / "a.jpg") == 1
    assert "no AWS region is set" in capsys.readouterr().err
    assert upload(photos / "a.jpg", "--profile", "missing") == 1
    assert "missing" in capsys.readouterr().err


def test_nothing_that_answers_locally_asks_whether_the_stack_runs(
    photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    assert upload(photos / "a.jpg", "--endpoint-url", "http://127.0.0.1:9") == 1
    assert "nothing answers at http://127.0.0.1:9/. Is the local stack running" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--timeout", "5"], ["--concurrency", "0"], ["--source", "a/b"], ["--endpoint-url", "localhost:4566"], ["--nonsense"]],
)  # fmt: skip
def test_a_wrong_command_has_exit_code_2_and_sends_nothing(
    stack: None, photos: Path, capsys: Output, arguments: list[str]
) -> None:
    assert main(["upload", str(photos / "a.jpg"), *arguments]) == 2
    assert capsys.readouterr().out == ""
    assert stored_keys() == []


def test_an_empty_folder_is_no_failure(stack: None, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "empty").mkdir()
    assert upload(tmp_path / "empty", "--recursive") == 0
    assert "Nothing was uploaded: no images were found." in capsys.readouterr().out


# --- waiting


def test_waits_and_shows_what_was_found(stack: None, photos: Path, capsys: Output) -> None:
    with pipeline(a=ANALYZED_CAT):
        assert upload(photos / "a.jpg", "--wait") == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("a.jpg"))
    for cell in ("analyzed", "Cat 98 %", "not checked", "Cat on camera"):
        assert cell in row
    assert "safe" not in out


def test_a_rejected_image_is_exit_code_1_with_its_reason(stack: None, photos: Path, capsys: Output) -> None:
    with pipeline(a=ANALYZED_CAT, b=REJECTED):
        assert upload(photos / "a.jpg", photos / "b.jpg", "--wait") == 1
    out = capsys.readouterr().out
    assert "The image is too small." in out
    assert "1 analyzed, 1 rejected." in out


def test_the_document_has_what_was_found(stack: None, photos: Path, capsys: Output) -> None:
    with pipeline(a=ANALYZED_CAT, b=REJECTED):
        assert upload(photos / "a.jpg", photos / "b.jpg", "--wait", "--json") == 1
    cat, rejected = document(capsys)["uploaded"]
    assert (cat["status"], cat["reason"]) == ("ANALYZED", "")
    assert cat["labels"] == [{"Name": "Cat", "Confidence": 98.7, "Parents": ["Animal"], "Instances": []}]
    assert cat["moderation"]["Status"] == "NOT_CHECKED"
    assert cat["matchedRules"][0]["Name"] == "Cat on camera"
    assert (rejected["status"], rejected["reason"]) == ("REJECTED", "The image is too small.")


def test_uploading_again_waits_for_the_new_version(stack: None, photos: Path, capsys: Output) -> None:
    with pipeline(a=REJECTED):
        assert upload(photos / "a.jpg", "--wait") == 1
    with pipeline(a=ANALYZED_CAT):
        assert upload(photos / "a.jpg", "--wait") == 0
    assert "1 analyzed." in capsys.readouterr().out


def test_names_the_image_whose_analysis_does_not_end_in_time(stack: None, photos: Path, capsys: Output) -> None:
    assert upload(photos / "a.jpg", "--wait", "--timeout", 1) == 1
    out = capsys.readouterr().out
    assert "there is no record of it yet after 1 seconds" in out
    assert "1 without a record." in out


def test_a_table_it_may_not_read_leaves_the_uploads_reported(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "BatchGetItem", lambda _: answer("AccessDeniedException"))
    assert upload(photos / "a.jpg", "--wait", "--json") == 1
    (only,) = document(capsys)["uploaded"]
    assert only["status"] is None
    assert "may not read the images table" in only["reason"]


# --- interruption


def interrupt_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Presses Ctrl-C when the file of this name is about to be sent, and sends it once that has arrived."""
    upload_one, interrupt, arrived = Uploader.upload, Uploads.interrupt, threading.Event()

    def press(self: Uploader, planned: PlannedUpload) -> Outcome:
        if planned.path.name == name:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert arrived.wait(5)
        return upload_one(self, planned)

    def arrive(self: Uploads) -> None:
        interrupt(self)
        arrived.set()

    monkeypatch.setattr(Uploader, "upload", press)
    monkeypatch.setattr(Uploads, "interrupt", arrive)


def test_an_interruption_ends_what_is_under_way_and_says_what_was_not_uploaded(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(monkeypatch, "b.jpg")
    assert upload(photos, "--recursive", "--concurrency", 1, "--wait") == 130
    out = capsys.readouterr().out
    assert "Uploaded 2 files" in out
    assert "1 file not uploaded: interrupted" in out
    assert stored_keys() == ["uploads/cam/photos/a.jpg", "uploads/cam/photos/b.jpg"]


def test_an_interruption_does_not_wait_for_a_dead_network(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def hang(self: Uploader, planned: PlannedUpload) -> Outcome:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        answers.wait(20)
        return NotUploaded(planned.path, planned.key, "network")

    monkeypatch.setattr(Uploader, "upload", hang)
    monkeypatch.setattr(pool, "INTERRUPT_GRACE", 0.1)
    began = time.monotonic()
    assert upload(photos / "a.jpg") == 130
    assert time.monotonic() - began < 10
    answers.set()
    assert "1 file not uploaded: interrupted" in capsys.readouterr().out


def test_an_interruption_still_prints_the_document(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(monkeypatch, "b.jpg")
    assert upload(photos, "--recursive", "--concurrency", 1, "--json") == 130
    content = document(capsys)
    assert len(content["uploaded"]) == 2
    assert [item["path"] for item in content["failed"]] == [str(photos / "sub" / "c.jpg")]


def test_an_interruption_while_waiting_leaves_the_uploads_reported(
    stack: None, photos: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(_: object) -> None:
        raise KeyboardInterrupt

    refuse(monkeypatch, "BatchGetItem", press)  # type: ignore[arg-type]
    assert upload(photos / "a.jpg", "--wait") == 130
    out, err = capsys.readouterr()
    assert "their analysis continues" in err
    assert f"Uploaded {photos / 'a.jpg'}" in out


def test_the_command_shows_its_version_and_its_help(capsys: Output) -> None:
    for arguments, expected in ((["--version"], "imagewatch 0."), (["--help"], "Exit codes:"), (["upload", "--help"], "--wait")):
        assert main(arguments) == 0
        assert expected in capsys.readouterr().out
