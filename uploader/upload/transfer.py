"""Sends one file to S3 and tells what became of it: an object version, or a reason why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig

from uploader.aws.errors import AWS_ERRORS, explain
from uploader.upload.keys import image_id
from uploader.upload.plan import PlannedUpload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRANSFER = TransferConfig(
    multipart_threshold=64 * 1024**2,
    multipart_chunksize=16 * 1024**2,
    use_threads=False,  # the files are what runs side by side, not the parts of one file
    preferred_transfer_client="classic",  # the other one bypasses the events that VersionListener needs
)


@dataclass(frozen=True)
class Uploaded:
    """A file that is now an object. `size` in bytes; `version_id` is None when the bucket keeps no versions."""

    path: Path
    bucket: str
    key: str
    version_id: str | None
    image_id: str
    size: int
    sha256: str


@dataclass(frozen=True)
class NotUploaded:
    """A file that couldn't be sent; `affects_all` when the others can't be sent either."""

    path: Path
    key: str
    reason: str
    affects_all: bool = False


Outcome = Uploaded | NotUploaded


class VersionListener:
    """Remembers the version that each upload became: the transfer manager drops S3's answer, and asking S3
    afterwards could name a version that somebody else has uploaded in between.
    """

    def __init__(self, s3: S3Client) -> None:
        self._versions: dict[str, str] = {}
        for operation in ("PutObject", "CompleteMultipartUpload"):
            s3.meta.events.register(f"before-parameter-build.s3.{operation}", self._asked)
            s3.meta.events.register(f"after-call.s3.{operation}", self._answered)

    def take(self, key: str) -> str | None:
        """The version that the upload of `key` became, once."""
        return self._versions.pop(key, None)

    def _asked(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["imagewatch_key"] = params["Key"]

    def _answered(self, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if "VersionId" in parsed:
            self._versions[context["imagewatch_key"]] = parsed["VersionId"]


class Uploader:
    """Sends one file after the other to one bucket; safe to use from several threads.

    `sent` is called with the number of bytes that went out (negative when an attempt starts again).
    """

    def __init__(self, s3: S3Client, bucket: str, source: str, sent: Callable[[int], None]) -> None:
        self._s3, self._bucket, self._source, self._sent = s3, bucket, source, sent
        self._versions = VersionListener(s3)

    def upload(self, planned: PlannedUpload) -> Outcome:
        """Sends one file; a failure is an answer here, so that one bad file never ends the others."""
        try:
            return self._send(planned)
        except (*AWS_ERRORS, OSError, ValueError) as error:
            reason = explain(error, f"write to s3://{self._bucket}/{planned.key} (s3:PutObject)")
            return NotUploaded(planned.path, planned.key, reason.text, reason.affects_all)

    def _send(self, planned: PlannedUpload) -> Outcome:
        before = planned.path.stat()
        digest = _sha256(planned.path)
        metadata = {"sha256": digest, "source": self._source, "mtime": _iso(before.st_mtime)}
        self._s3.upload_file(
            str(planned.path),
            self._bucket,
            planned.key,
            ExtraArgs={
                "ContentType": planned.content_type,
                "Metadata": {name: ascii_metadata(value) for name, value in metadata.items()},
            },
            Callback=self._sent,
            Config=_TRANSFER,
        )
        after = planned.path.stat()
        version = self._versions.take(planned.key)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            return NotUploaded(planned.path, planned.key, "it changed while it was being uploaded; try again once it's complete")
        key_id = image_id(self._bucket, planned.key)
        return Uploaded(planned.path, self._bucket, planned.key, version, key_id, after.st_size, digest)


def ascii_metadata(value: str) -> str:
    """S3 metadata travels in HTTP headers: other scripts are written as RFC 2047 says, which S3 itself understands.

    Source: S3 user guide, "User-defined object metadata".
    """
    return value if value.isascii() else Header(value, "utf-8").encode(linesep="")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _iso(seconds: float) -> str:
    """A file's time as ISO 8601 UTC with milliseconds; file systems hold times that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return "unknown"
