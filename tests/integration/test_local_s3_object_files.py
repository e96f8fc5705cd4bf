"""S3 objects in files: they are read unchanged, and deleting a version deletes its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.emulator.moto_patches import s3_object_files

BUCKET, KEY = "pictures", "uploads/a.jpg"
CONTENT = bytes(range(256)) * 300


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    restore = s3_object_files.install(tmp_path / "objects")
    yield tmp_path / "objects"
    restore()


@pytest.fixture
def s3(folder: Path) -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def read(s3: Any, **named: str) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=KEY, **named)["Body"].read())


def versioned(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def test_an_object_is_stored_in_a_file_and_read_unchanged(s3: Any, folder: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=CONTENT)
    (file,) = folder.iterdir()
    assert file.read_bytes() == CONTENT
    assert read(s3) == CONTENT


def test_a_range_is_read_from_the_middle(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=CONTENT)
    assert read(s3, Range="bytes=1000-1999") == CONTENT[1000:2000]
    assert read(s3, Range="bytes=-10") == CONTENT[-10:]


def test_every_version_keeps_its_own_bytes(s3: Any) -> None:
    versioned(s3)
    ids = [s3.put_object(Bucket=BUCKET, Key=KEY, Body=body)["VersionId"] for body in (b"first", b"", CONTENT)]
    assert [read(s3, VersionId=version) for version in ids] == [b"first", b"", CONTENT]


def test_deleting_a_version_deletes_its_file(s3: Any, folder: Path) -> None:
    versioned(s3)
    first, second = (s3.put_object(Bucket=BUCKET, Key=KEY, Body=body)["VersionId"] for body in (b"first", b"second"))
    s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=first)
    assert [file.read_bytes() for file in folder.iterdir()] == [b"second"]
    s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=second)
    assert list(folder.iterdir()) == []


def test_overwriting_an_object_deletes_its_file(s3: Any, folder: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"old")
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"new")
    assert [file.read_bytes() for file in folder.iterdir()] == [b"new"]


def test_a_copy_remains_when_its_source_is_deleted(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="uploads/source.jpg", Body=CONTENT)
    s3.copy_object(Bucket=BUCKET, Key=KEY, CopySource={"Bucket": BUCKET, "Key": "uploads/source.jpg"})
    s3.delete_object(Bucket=BUCKET, Key="uploads/source.jpg")
    assert read(s3) == CONTENT


def test_the_parts_of_an_upload_are_joined(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=KEY)["UploadId"]
    named = {"Bucket": BUCKET, "Key": KEY, "UploadId": upload}
    bodies = [b"a" * 5 * 1024 * 1024, CONTENT]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**named, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert read(s3) == b"".join(bodies)


def test_the_files_of_an_earlier_run_are_deleted(s3: Any, folder: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=CONTENT)
    s3_object_files.install(folder)
    assert list(folder.iterdir()) == []
