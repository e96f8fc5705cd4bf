"""Uploads the sample photos and shows the results. `make up` runs it at its end.

It is idempotent: existing rules stay unchanged, and analyzed samples aren't uploaded again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from imagewatch.images.version import image_id
from imagewatch.rules.model import Rule
from local import OPERATIONS_EMAIL
from local.emulator.isolation import isolate
from local.samples_report import document, log_groups, print_report
from local.viewer.records import ImageRecords
from local.viewer.stack import Stack, StackNotReadyError
from uploader.aws.dynamodb import to_item
from uploader.errors import CommandError
from uploader.rules.files import read_files
from uploader.terminal import Terminal
from uploader.upload.discovery import find_files
from uploader.upload.follow import Analysis, Follower, current_version, still_running
from uploader.upload.image_records import ImageRecords as UploadedRecords
from uploader.upload.image_records import Record
from uploader.upload.plan import PlannedUpload, plan_uploads
from uploader.upload.transfer import Uploaded, Uploader
from uploader.upload.workers import Uploads

SAMPLES = Path(__file__).parent.parent / "samples"
SOURCE = "samples"
NOT_SAMPLES = {"PROVENANCE.md", "watchlist.yaml"}
TIMEOUT_SECONDS = 120.0
NEW_SECONDS = 60.0  # a stack that brings back kept photos uploads them just before the samples are loaded
UPLOADS_AT_ONCE = 4


@dataclass(frozen=True)
class Loaded:
    """The result of a run: the added rules, the analysis of each sample, the number of uploads, and error messages."""

    rules_added: list[str]
    analyses: list[Analysis]
    sent: int
    errors: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if each sample was analyzed or rejected. Some samples are meant to be rejected."""
        return 0 if not self.errors and all(one.status in ("ANALYZED", "REJECTED") for one in self.analyses) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the samples and print the report. Returns 1 if a sample has neither status ANALYZED nor REJECTED."""
    args = _parser().parse_args(arguments)
    terminal = Terminal(quiet=args.json)
    stack = Stack(args.endpoint_url)
    try:
        web_url = args.web_url or stack.page_address()
        loaded = load_samples(stack, terminal)
        mails = [mail for mail in stack.mailbox() if mail["to"] != OPERATIONS_EMAIL]  # alerts, no alarms
        groups = [] if args.json else log_groups(stack)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. The local stack still runs and analyses what was uploaded; `make down` stops it.\n")
        return 130
    except (StackNotReadyError, CommandError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"The samples couldn't be loaded: {error}\n")
        return 1
    if args.json:
        terminal.print_json(document(loaded, mails))
    else:
        print_report(terminal, loaded, mails, args.endpoint_url, web_url, groups)
    for message in loaded.errors:
        sys.stderr.write(message + "\n")
    return loaded.exit_code


def load_samples(
    stack: Stack,
    terminal: Terminal,
    *,
    folder: Path = SAMPLES,
    timeout: float = TIMEOUT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Loaded:
    """Add the rules, upload the missing samples, and wait up to `timeout` seconds until all are finished."""
    deadline = time.monotonic() + timeout
    rules = add_rules(stack, [one.rule for one in read_files([str(folder / "watchlist.yaml")])])
    stored, missing = _split(stack, _planned(folder))
    sent, errors = _send(stack, terminal, missing)
    uploads = sorted([*stored, *sent], key=lambda upload: upload.key)
    analyses = _follow(stack, terminal, uploads, deadline - time.monotonic(), sleep)
    errors += [f"{one.upload.path.name}: {one.reason}." for one in analyses if not one.finished]
    return Loaded(rules, [_with_whole_record(stack, one) for one in analyses], len(sent), errors)


def add_rules(stack: Stack, rules: list[Rule]) -> list[str]:
    """Add the rules that the watchlist lacks, and return their names. Existing rules stay unchanged."""
    added = []
    for rule in rules:
        try:
            stack.client("dynamodb").put_item(
                TableName=stack.outputs["WatchlistTableName"],
                Item=to_item(rule.to_item()),
                ConditionExpression="attribute_not_exists(RuleId)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
        else:
            added.append(rule.name)
    return added


def _planned(folder: Path) -> list[PlannedUpload]:
    names = sorted(str(path) for path in folder.iterdir() if path.is_file() and path.name not in NOT_SAMPLES)
    return plan_uploads(find_files(names, recursive=False, take_all=True).files, SOURCE).uploads


def _split(stack: Stack, planned: list[PlannedUpload]) -> tuple[list[Uploaded], list[PlannedUpload]]:
    """The samples that are stored with the same content and haven't failed, and the samples to upload."""
    stored, missing = [], []
    records = ImageRecords(stack)
    bucket = stack.outputs["ImagesBucketName"]
    for item in planned:
        upload = _stored(stack, bucket, item)
        if upload and _analysed_or_new(stack, upload, records.one(upload.image_id)):
            stored.append(upload)
        else:
            missing.append(item)
    return stored, missing


def _analysed_or_new(stack: Stack, upload: Uploaded, record: dict[str, Any] | None) -> bool:
    """Whether the upload needs no second one: it has a record that hasn't failed, or it is too new to have one."""
    if record and record.get("VersionId") == upload.version_id:
        return record.get("Status") != "FAILED"
    head = stack.client("s3").head_object(Bucket=upload.bucket, Key=upload.key)
    return bool((datetime.now(UTC) - head["LastModified"]).total_seconds() < NEW_SECONDS)


def _stored(stack: Stack, bucket: str, item: PlannedUpload) -> Uploaded | None:
    """The sample's object, if it has the content of the file."""
    try:
        head = stack.client("s3").head_object(Bucket=bucket, Key=item.key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return None
        raise
    digest = hashlib.sha256(item.path.read_bytes()).hexdigest()
    if head.get("Metadata", {}).get("sha256") != digest:
        return None
    return Uploaded(item.path, bucket, item.key, head.get("VersionId"), image_id(bucket, item.key), item.size, digest)


def _send(stack: Stack, terminal: Terminal, planned: list[PlannedUpload]) -> tuple[list[Uploaded], list[str]]:
    if not planned:
        terminal.note("All samples are already uploaded.")
        return [], []
    terminal.note(f"Uploading {len(planned)} sample images ...")
    uploader = Uploader(stack.client("s3"), stack.outputs["ImagesBucketName"], SOURCE, lambda _count: None, replace=True)
    outcomes = list(Uploads(planned, uploader.upload, min(UPLOADS_AT_ONCE, len(planned))))
    sent = [outcome for outcome in outcomes if isinstance(outcome, Uploaded)]
    failed = [f"{one.path.name} was not uploaded: {one.reason}" for one in outcomes if not isinstance(one, Uploaded)]
    return sent, failed


def _follow(
    stack: Stack, terminal: Terminal, uploads: list[Uploaded], timeout: float, sleep: Callable[[float], None]
) -> list[Analysis]:
    if not uploads:
        return []
    records = UploadedRecords(stack.client("dynamodb"), stack.outputs["ImagesTableName"])
    follower = Follower(
        records.read,
        lambda upload: current_version(stack.client("s3"), upload),
        lambda record: still_running(stack.client("stepfunctions"), record),
        sleep=sleep,
    )
    analyses = []
    with terminal.waiting_bar(len(uploads)) as bar:
        for analysis in follower.follow(uploads, max(timeout, 0.0)):
            analyses.append(analysis)
            bar.finish_image()
    return sorted(analyses, key=lambda analysis: analysis.upload.key)


def _with_whole_record(stack: Stack, analysis: Analysis) -> Analysis:
    """The analysis with the complete current record, which includes matched rules and the execution's ARN."""
    record = ImageRecords(stack).one(analysis.upload.image_id)
    return replace(analysis, record=Record.from_item(record)) if record and analysis.finished else analysis


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.samples", description="Upload the sample photos and show the results.")
    endpoint = f"http://localhost:{os.environ.get('PORT') or '4566'}"
    parser.add_argument("--endpoint-url", default=endpoint, help="The endpoint of the local stack. Default: %(default)s.")
    parser.add_argument("--web-url", help="The page's address. Default: the running stack's.")
    parser.add_argument("--json", action="store_true", help="Print only a JSON document.")
    return parser


if __name__ == "__main__":
    isolate()
    raise SystemExit(main())
