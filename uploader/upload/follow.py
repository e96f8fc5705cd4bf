"""Waits until the analysis of each uploaded object version has finished."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from uploader.aws.errors import AWS_ERRORS, explain
from uploader.errors import CommandError
from uploader.upload.image_records import Record
from uploader.upload.transfer import Uploaded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

REPLACED = "REPLACED"
"""No status of a record: a newer upload of the same key has replaced this one."""
REMOVED = "REMOVED"
"""No status of a record: the object was removed before its analysis finished."""

FIRST_INTERVAL = 0.25
LONGEST_INTERVAL = 5.0
"""Seconds between two reads of the records. The interval grows while nothing changes."""

_IMAGES_PER_ROUND = 1000
_CHECKS_PER_ROUND = 20


@dataclass(frozen=True)
class Analysis:
    """The analysis of one upload. Its status is the record's, REPLACED or REMOVED; None when there is no record."""

    upload: Uploaded
    status: str | None
    reason: str = ""
    record: Record = field(default_factory=Record)
    finished: bool = True

    @property
    def succeeded(self) -> bool:
        return self.finished and self.status in {"ANALYZED", REPLACED}


class Follower:
    """Follows uploads until the analysis of each has finished.

    `read` returns the records by ImageId. `current_version` returns the version that S3 serves for an upload's key, None when the
    object is gone, and the upload's own version when that is unknown. `still_running` returns whether a record's execution is
    running. A record has the status ANALYZED as soon as the findings are stored, but its rules only when the execution has ended.
    """

    def __init__(
        self,
        read: Callable[[Sequence[str]], Mapping[str, Record]],
        current_version: Callable[[Uploaded], str | None],
        still_running: Callable[[Record], bool] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._read, self._current_version, self._still_running = read, current_version, still_running
        self._clock, self._sleep = clock, sleep
        self._last: dict[str, Analysis] = {}
        self._known_older: set[tuple[str, str]] = set()
        self._known_ended: set[tuple[str, str]] = set()
        self._trouble = ""

    def follow(self, uploads: Sequence[Uploaded], timeout: float) -> Iterator[Analysis]:
        """The analysis of each upload when it finishes; after `timeout` seconds, the unfinished ones.

        Raises CommandError when the records can't be read at all.
        """
        pending = deque(uploads)
        deadline, interval = self._clock() + timeout, FIRST_INTERVAL
        while pending:
            last_round = self._clock() >= deadline
            before = len(pending)
            yield from self._round(pending, before if last_round else _IMAGES_PER_ROUND)
            if last_round:
                break
            interval = FIRST_INTERVAL if len(pending) < before else min(interval * 1.5, LONGEST_INTERVAL)
            if pending:
                self._sleep(max(0.0, min(interval, deadline - self._clock())))
        for upload in pending:
            yield self._not_in_time(upload, timeout)

    def _round(self, pending: deque[Uploaded], most: int) -> Iterator[Analysis]:
        """Checks the next `most` uploads. Unfinished ones go to the end of the queue."""
        group = [pending.popleft() for _ in range(min(most, len(pending)))]
        records = self._read_patiently([upload.image_id for upload in group])
        checks = _CHECKS_PER_ROUND
        for upload in group:
            analysis, checked = self._judge(upload, records.get(upload.image_id), may_check=checks > 0)
            checks -= checked
            if analysis.finished:
                yield analysis
            else:
                self._last[upload.key] = analysis
                pending.append(upload)

    def _read_patiently(self, image_ids: Sequence[str]) -> Mapping[str, Record]:
        try:
            records = self._read(image_ids)
        except AWS_ERRORS as error:
            reason = explain(error, "read the images table (dynamodb:BatchGetItem)")
            if not reason.transient:
                raise CommandError(reason.text) from error
            self._trouble = reason.text
            return {}
        self._trouble = ""
        return records

    def _judge(self, upload: Uploaded, record: Record | None, *, may_check: bool) -> tuple[Analysis, bool]:
        """What the record says about this version, and whether this took a request to S3 or Step Functions."""
        if upload.version_id is None:
            return Analysis(upload, None, "the bucket keeps no versions, so it can't be followed"), False
        if record is None:
            return Analysis(upload, None, finished=False), False
        recorded = record.version_id
        if recorded == upload.version_id:
            return self._own(upload, record, may_check=may_check)
        # The record is of another version: an older one that ours will replace, or a newer one. Version ids have no order.
        if (upload.key, recorded) in self._known_older or not may_check:
            return Analysis(upload, None, finished=False), False
        return self._compare(upload, recorded), True

    def _own(self, upload: Uploaded, record: Record, *, may_check: bool) -> tuple[Analysis, bool]:
        """What a record of this version says, and whether this took a request to Step Functions."""
        status, version = record.status, (upload.key, record.version_id)
        finished = status not in {None, "ANALYZING"}
        checked = False
        if status == "ANALYZED" and self._still_running and version not in self._known_ended:
            # Only a record that is read after the execution's end has all its rules, so it is read once more.
            finished, checked = False, may_check
            if may_check and not self._still_running(record):
                self._known_ended.add(version)
        return Analysis(upload, status, record.reason, record, finished=finished), checked

    def _compare(self, upload: Uploaded, recorded: str) -> Analysis:
        current = self._current_version(upload)
        if current is None:
            return Analysis(upload, REMOVED, "the object was removed before its analysis finished")
        if current != upload.version_id:
            return Analysis(upload, REPLACED, "a newer upload of the same key has replaced it")
        self._known_older.add((upload.key, recorded))
        return Analysis(upload, None, finished=False)

    def _not_in_time(self, upload: Uploaded, timeout: float) -> Analysis:
        seen = self._last.get(upload.key)
        status = seen.status if seen else None
        what = "its analysis hasn't finished" if status else "there is no record of it yet"
        trouble = f" ({self._trouble})" if self._trouble else ""
        return Analysis(upload, status, f"{what} after {timeout:g} seconds{trouble}", finished=False)


def current_version(s3: S3Client, upload: Uploaded) -> str | None:
    """The version that S3 serves for this key now; None when the object is gone; the upload's own when it can't be read."""
    try:
        return s3.head_object(Bucket=upload.bucket, Key=upload.key).get("VersionId")
    except AWS_ERRORS as error:
        gone = isinstance(error, ClientError) and error.response["Error"].get("Code") in {"404", "NoSuchKey"}
        return None if gone else upload.version_id


def still_running(stepfunctions: SFNClient, record: Record) -> bool:
    """Whether the record's execution is running. False when that is unknown (no permission, an execution that was deleted)."""
    if not record.execution_arn:
        return False
    try:
        return stepfunctions.describe_execution(executionArn=record.execution_arn)["status"] == "RUNNING"
    except AWS_ERRORS:
        return False
