"""Form uploads behind the policy check, with forms presigned by boto3."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client, EnvironBuilder, TestResponse

from local.emulator.gateway.identification import identify
from local.emulator.s3 import notifications
from local.emulator.s3.forms import read_form
from local.emulator.s3.post_policy import PostPolicyMiddleware

BUCKET = "photos"
SECRET = "local-secret"


class Uploads:
    """A bucket behind the check, with a clock that the test controls."""

    def __init__(self, signature_version: str) -> None:
        self.now = datetime.now(UTC)
        self.s3 = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key=SECRET,
            config=Config(signature_version=signature_version),
        )
        self.s3.create_bucket(Bucket=BUCKET)
        app = DomainDispatcherApplication(create_backend_app)
        secrets = {"local": SECRET}
        self.http = Client(PostPolicyMiddleware(app, secrets.get, lambda: self.now))

    def form(self, *conditions: Any, key: str = "uploads/me/${filename}", **fields: str) -> dict[str, str]:
        presigned = self.s3.generate_presigned_post(BUCKET, key, dict(fields), list(conditions), ExpiresIn=600)
        signed: dict[str, str] = presigned["fields"]
        return signed

    def post(self, fields: dict[str, str], body: bytes = b"12345", filename: str = "cat.jpg") -> TestResponse:
        data: dict[str, Any] = {**fields, "file": (io.BytesIO(body), filename)}
        return self.http.post(f"/{BUCKET}", base_url="http://localhost:4566", data=data)

    def keys(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture(params=["s3v4", "s3"], ids=["signature-4", "signature-2"])
def uploads(request: pytest.FixtureRequest) -> Iterator[Uploads]:
    with mock_aws():
        yield Uploads(request.param)


def _error(response: TestResponse) -> dict[str, str]:
    return {child.tag: child.text or "" for child in ElementTree.fromstring(response.data)}  # noqa: S314 - our own document


def test_an_upload_within_its_policy_is_stored_under_its_file_name(uploads: Uploads) -> None:
    response = uploads.post(uploads.form(["content-length-range", 1, 10]))

    assert response.status_code == 204
    assert uploads.keys() == ["uploads/me/cat.jpg"]
    assert uploads.s3.get_object(Bucket=BUCKET, Key="uploads/me/cat.jpg")["Body"].read() == b"12345"


@pytest.mark.parametrize("size", [1, 10])
def test_both_ends_of_the_size_range_are_allowed(uploads: Uploads, size: int) -> None:
    assert uploads.post(uploads.form(["content-length-range", 1, 10]), b"x" * size).status_code == 204


def test_an_upload_above_the_range_is_too_large(uploads: Uploads) -> None:
    response = uploads.post(uploads.form(["content-length-range", 1, 10]), b"x" * 11)

    assert response.status_code == 400
    error = _error(response)
    assert error["Code"] == "EntityTooLarge"
    assert error["Message"] == "Your proposed upload exceeds the maximum allowed size"
    assert (error["ProposedSize"], error["MaxSizeAllowed"]) == ("11", "10")
    assert uploads.keys() == []


def test_an_upload_below_the_range_is_too_small(uploads: Uploads) -> None:
    response = uploads.post(uploads.form(["content-length-range", 1, 10]), b"")

    error = _error(response)
    assert (error["Code"], error["ProposedSize"], error["MinSizeAllowed"]) == ("EntityTooSmall", "0", "1")
    assert uploads.keys() == []


def _expiry(form: dict[str, str]) -> datetime:
    """The expiration in the policy. boto3 computes it from its own clock."""
    return datetime.fromisoformat(json.loads(base64.b64decode(form["policy"]))["expiration"])


def test_a_policy_counts_until_it_expires(uploads: Uploads) -> None:
    form = uploads.form()
    uploads.now = _expiry(form) - timedelta(seconds=1)

    assert uploads.post(form).status_code == 204


def test_an_expired_policy_is_refused(uploads: Uploads) -> None:
    form = uploads.form()
    uploads.now = _expiry(form)

    response = uploads.post(form)

    assert response.status_code == 403
    error = _error(response)
    assert (error["Code"], error["Message"]) == ("AccessDenied", "Invalid according to Policy: Policy expired.")
    assert uploads.keys() == []


def test_another_key_than_the_policys_is_refused(uploads: Uploads) -> None:
    form = uploads.form(key="uploads/me/cat.jpg")

    response = uploads.post({**form, "key": "uploads/you/cat.jpg"})

    assert response.status_code == 403
    assert _error(response)["Message"] == (
        'Invalid according to Policy: Policy Condition failed: ["eq", "$key", "uploads/me/cat.jpg"]'
    )


def test_the_file_name_cannot_lead_out_of_the_prefix(uploads: Uploads) -> None:
    response = uploads.post(uploads.form(), filename="../../you/cat.jpg")

    assert response.status_code == 204
    assert uploads.keys() == ["uploads/me/cat.jpg"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [("image/jpeg", 204), ("image/", 204), ("text/html", 403), ("image/png,text/html", 403), ("image/png,image/gif", 204)],
)
def test_the_content_type_must_start_as_the_policy_says(uploads: Uploads, sent: str, status: int) -> None:
    form = uploads.form(["starts-with", "$Content-Type", "image/"])

    assert uploads.post({**form, "Content-Type": sent}).status_code == status


def test_metadata_must_be_what_was_signed(uploads: Uploads) -> None:
    form = uploads.form({"x-amz-meta-owner": "me"}, **{"x-amz-meta-owner": "me"})

    assert uploads.post(form).status_code == 204
    assert uploads.s3.head_object(Bucket=BUCKET, Key="uploads/me/cat.jpg")["Metadata"] == {"owner": "me"}
    response = uploads.post({**form, "x-amz-meta-owner": "you"})
    assert response.status_code == 403
    assert "$x-amz-meta-owner" in _error(response)["Message"]


def test_a_field_that_the_policy_does_not_know_is_refused(uploads: Uploads) -> None:
    response = uploads.post({**uploads.form(), "x-amz-meta-owner": "you", "x-ignore-this": "1"})

    assert response.status_code == 403
    assert _error(response)["Message"] == "Invalid according to Policy: Extra input fields: x-amz-meta-owner"


def test_a_file_with_another_checksum_than_the_signed_one_is_refused(uploads: Uploads) -> None:
    checksum = base64.b64encode(hashlib.sha256(b"12345").digest()).decode()
    fields = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": checksum}
    form = uploads.form(*({name: value} for name, value in fields.items()), **fields)

    response = uploads.post(form, b"54321")

    assert (response.status_code, _error(response)["Code"]) == (400, "BadDigest")
    assert uploads.keys() == []
    assert uploads.post(form, b"12345").status_code == 204
    other = base64.b64encode(hashlib.sha256(b"54321").digest()).decode()
    assert uploads.post({**form, "x-amz-checksum-sha256": other}, b"54321").status_code == 403


def test_a_policy_for_another_bucket_is_refused(uploads: Uploads) -> None:
    uploads.s3.create_bucket(Bucket="other")
    data = {**uploads.form(), "file": (io.BytesIO(b"x"), "a.jpg")}

    response = uploads.http.post("/other", base_url="http://localhost:4566", data=data)

    assert response.status_code == 403
    assert "$bucket" in _error(response)["Message"]


def test_a_policy_that_was_tampered_with_is_refused(uploads: Uploads) -> None:
    form = uploads.form(["content-length-range", 1, 10])
    policy = json.loads(base64.b64decode(form["policy"]))
    policy["conditions"][0][2] = 10_000
    form["policy"] = base64.b64encode(json.dumps(policy).encode()).decode()

    response = uploads.post(form, b"x" * 11)

    assert (response.status_code, _error(response)["Code"]) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (b"no json", "InvalidPolicyDocument"),
        (b'{"conditions": []}', "InvalidPolicyDocument"),
        (b"[]", "InvalidPolicyDocument"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(uploads: Uploads, policy: bytes, code: str) -> None:
    response = uploads.post({**uploads.form(), "policy": base64.b64encode(policy).decode()})

    assert (response.status_code, _error(response)["Code"]) == (400, code)


def test_a_form_without_policy_is_refused(uploads: Uploads) -> None:
    response = uploads.post({"key": "uploads/a.jpg"})

    assert (response.status_code, _error(response)["Code"]) == (403, "AccessDenied")
    assert uploads.keys() == []


def test_a_form_without_key_or_file_is_refused(uploads: Uploads) -> None:
    form = uploads.form()

    without_file = uploads.http.post(
        f"/{BUCKET}", base_url="http://localhost:4566", data=form, content_type="multipart/form-data"
    )
    without_key = uploads.post({name: value for name, value in form.items() if name != "key"})

    assert _error(without_file)["Message"] == "POST requires exactly one file upload per request."
    assert "field named 'key'" in _error(without_key)["Message"]


def test_a_form_upload_is_announced_as_a_post(uploads: Uploads) -> None:
    sent: list[dict[str, Any]] = []
    restore = notifications.install(lambda _, body: sent.append(json.loads(body)), lambda _, __: True)
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:intake", "Events": ["s3:ObjectCreated:*"]}
    uploads.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [queue]})

    uploads.post(uploads.form())
    restore()

    record = sent[-1]["Records"][0]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Post", "uploads/me/cat.jpg")


def test_other_requests_pass_through_untouched(uploads: Uploads) -> None:
    response = uploads.http.post(
        f"/{BUCKET}?delete", base_url="http://localhost:4566", data=b"<Delete><Object><Key>a</Key></Object></Delete>"
    )

    assert response.status_code == 200
    assert uploads.http.get(f"/{BUCKET}/none", base_url="http://localhost:4566").status_code == 404


def test_the_signer_of_a_form_needs_the_permission_to_put_that_object(uploads: Uploads) -> None:
    data = {**uploads.form(), "file": (io.BytesIO(b"x"), "cat.jpg")}
    builder = EnvironBuilder(path=f"/{BUCKET}", method="POST", data=data)
    environ = builder.get_environ()
    body, content_type = environ["wsgi.input"].read(), environ["CONTENT_TYPE"]

    call = identify("POST", "localhost:4566", f"/{BUCKET}", "", {"Content-Type": content_type}, body)

    assert (call.service, call.operation, call.access_key) == ("s3", "PostObject", "local")
    assert [action[:2] for action in call.actions] == [("s3:PutObject", f"arn:aws:s3:::{BUCKET}/uploads/me/cat.jpg")]
    assert read_form(content_type, body).size == 1
