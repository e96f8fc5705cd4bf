"""Uploads one file to S3. The outcome is an object version, or the reason for a failure.

A key that holds other content is never overwritten silently: S3 refuses the conditional write (If-None-Match), and the file gets
another key. Source: S3 user guide, "How to prevent object overwrites with conditional writes".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from imagewatch.images.version import image_id
from imagewatch.timestamps import iso_utc
from uploader.aws.errors import AWS_ERRORS, explain
from uploader.upload.keys import key_with_hash
from uploader.upload.plan import PlannedUpload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MULTIPART = 64 * 1024**2
_TRANSFER = TransferConfig(
    multipart_threshold=_MULTIPART,
    multipart_chunksize=16 * 1024**2,
    use_threads=False,  # files are uploaded concurrently, not the parts of one file
    preferred_transfer_client="classic",  # the other client doesn't emit the events that _Requests needs
)
NOTHING, SAME, OTHER, UNKNOWN = "nothing", "same", "other", "unknown"
_REFUSED_CONDITIONS = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey"}
_ATTEMPTS = 4
"""Attempts to write one file while other clients write the same key."""


@dataclass(frozen=True)
class Uploaded:
    """A file that is now an object. `size` in bytes; `version_id` is None when the bucket isn't versioned."""

    path: Path
    bucket: str
    key: str
    version_id: str | None
    image_id: str
    size: int
    sha256: str
    again: bool = False
    """Whether the key had this content before."""
    renamed_from: str | None = None
    """The key that the file was planned for, when that held other content."""


@dataclass(frozen=True)
class NotUploaded:
    """A file that couldn't be uploaded; `affects_all` when no other file can be uploaded either."""

    path: Path
    key: str
    reason: str
    affects_all: bool = False


Outcome = Uploaded | NotUploaded


class _Requests:
    """Adds conditions to the requests of the transfer manager, and keeps the versions in S3's answers.

    The transfer manager has no parameter for conditions and drops the version. To ask S3 for the version later could return one
    that another client has uploaded meanwhile.
    """

    def __init__(self, s3: S3Client) -> None:
        self._conditions: dict[str, Mapping[str, str]] = {}
        self._versions: dict[str, str] = {}
        for operation in ("PutObject", "CompleteMultipartUpload"):
            s3.meta.events.register(f"before-parameter-build.s3.{operation}", self._before)
            s3.meta.events.register(f"after-call.s3.{operation}", self._after)

    def set_condition(self, key: str, condition: Mapping[str, str]) -> None:
        self._conditions[key] = condition

    def take_version(self, key: str) -> str | None:
        """The version that the upload of `key` became. It is returned once."""
        self._conditions.pop(key, None)
        return self._versions.pop(key, None)

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["imagewatch_key"] = params["Key"]
        params.update(self._conditions.get(params["Key"], {}))

    def _after(self, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if "VersionId" in parsed:
            self._versions[context["imagewatch_key"]] = parsed["VersionId"]


@dataclass(frozen=True)
class _Content:
    """The content of a file, by its hash."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> _Content:
        return cls(path, _digest(path, "sha256"))

    def is_in(self, head: Mapping[str, Any]) -> bool:
        """Whether an object has this content. Objects that other programs uploaded have no SHA-256, but an MD5 as their ETag."""
        known = head.get("Metadata", {}).get("sha256")
        if known:
            return bool(known == self.sha256)
        return bool(head["ETag"].strip('"') == _digest(self.path, "md5"))


@dataclass(frozen=True)
class _Object:
    """What a key holds, compared with the content of a file: NOTHING, SAME, OTHER, or UNKNOWN where reading is denied."""

    holds: str
    etag: str = ""

    @property
    def condition(self) -> Mapping[str, str]:
        """The condition for writing the file only over what was found."""
        return {NOTHING: {"IfNoneMatch": "*"}, SAME: {"IfMatch": self.etag}}.get(self.holds, {})


class Uploader:
    """Uploads files to one bucket. Several threads may use it.

    `sent` is called with the number of bytes that were sent (negative when an attempt starts again). With `replace`, a key that
    holds other content gets a new version; otherwise the file gets another key.
    """

    def __init__(self, s3: S3Client, bucket: str, source: str, sent: Callable[[int], None], *, replace: bool = False) -> None:
        self._s3, self._bucket, self._source, self._sent, self._replace = s3, bucket, source, sent, replace
        self._requests = _Requests(s3)

    def upload(self, planned: PlannedUpload) -> Outcome:
        """Uploads one file. A failure is returned and not raised, so that it doesn't end the other uploads."""
        try:
            return self._send(planned)
        except (*AWS_ERRORS, OSError, ValueError) as error:
            reason = explain(error, f"write to s3://{self._bucket}/{planned.key} (s3:PutObject)")
            return NotUploaded(planned.path, planned.key, reason.text, reason.affects_all)

    def _send(self, planned: PlannedUpload) -> Outcome:
        before = planned.path.stat()
        content = _Content.of(planned.path)
        key, version, again = self._write(planned, content)
        after = planned.path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            return NotUploaded(planned.path, planned.key, "it changed during the upload. Try again when it is complete")
        return Uploaded(
            planned.path, self._bucket, key, version, image_id(self._bucket, key), after.st_size, content.sha256, again,
            planned.key if key != planned.key else None,
        )  # fmt: skip

    def _write(self, planned: PlannedUpload, content: _Content) -> tuple[str, str | None, bool]:
        """Writes the file to its key or another one. Returns the key, the version, and whether the content was there before."""
        if self._replace:
            again = self._look(planned.key, content).holds == SAME
            return planned.key, self._put(planned, planned.key, content, {}), again
        for key in (planned.key, key_with_hash(planned.key, content.sha256)):
            written = self._write_unless_other(planned, key, content)
            if written is not None:
                return key, *written
        raise ValueError("its key and the key with its hash hold other content. Rename it, or use --replace")

    def _write_unless_other(self, planned: PlannedUpload, key: str, content: _Content) -> tuple[str | None, bool] | None:
        """Writes the file to this key. Returns the version, and whether the content was there before; None for other content."""
        there = _Object(NOTHING)
        if planned.size >= _MULTIPART:  # S3 would refuse it only after all parts are sent
            there = self._look(key, content)
            there = _Object(NOTHING) if there.holds == UNKNOWN else there
        for _ in range(_ATTEMPTS):
            if there.holds == OTHER or (there.holds == UNKNOWN and key == planned.key):
                return None
            try:
                # Where the object can't be read, the hash in the other key says that its content is the same.
                return self._put(planned, key, content, there.condition), there.holds != NOTHING
            except (ClientError, S3UploadFailedError) as error:
                if not _is_refused_condition(error):
                    raise
            there = self._look(key, content)
        raise ValueError("other clients write the same key at the same time. Try again")

    def _look(self, key: str, content: _Content) -> _Object:
        """The object at this key now, compared with the content of a file."""
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            code = error.response["Error"].get("Code")
            if code in ("404", "NoSuchKey"):
                return _Object(NOTHING)
            if code in ("403", "AccessDenied"):
                return _Object(UNKNOWN)
            raise
        return _Object(SAME if content.is_in(head) else OTHER, head["ETag"])

    def _put(self, planned: PlannedUpload, key: str, content: _Content, condition: Mapping[str, str]) -> str | None:
        metadata = {"sha256": content.sha256, "source": self._source, "mtime": _iso(planned.path.stat().st_mtime)}
        self._requests.set_condition(key, condition)
        try:
            self._s3.upload_file(
                str(planned.path),
                self._bucket,
                key,
                ExtraArgs={
                    "ContentType": planned.content_type,
                    "Metadata": {name: ascii_metadata(value) for name, value in metadata.items()},
                },
                Callback=self._sent,
                Config=_TRANSFER,
            )
        finally:
            version = self._requests.take_version(key)
        return version


def _is_refused_condition(error: Exception) -> bool:
    """Whether S3 refused a conditional write: 412 for another object, 409 for a write at the same time, 404 for a deleted one."""
    cause = error.__cause__ or error.__context__ if isinstance(error, S3UploadFailedError) else error
    if not isinstance(cause, ClientError):
        return False
    return cause.response["Error"].get("Code") in _REFUSED_CONDITIONS


def ascii_metadata(value: str) -> str:
    """S3 metadata is sent in HTTP headers: other scripts are encoded as in RFC 2047, which S3 decodes.

    Source: S3 user guide, "User-defined object metadata".
    """
    return value if value.isascii() else Header(value, "utf-8").encode(linesep="")


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _iso(seconds: float) -> str:
    """A file's time in the form of `iso_utc`; "unknown" for a time that isn't in the calendar."""
    try:
        return iso_utc(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return "unknown"
