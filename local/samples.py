"""Sends the sample photos through the local stack and shows what became of them: the last thing `make up` does.

Doing it again is harmless: rules that are there stay as they are, and samples that were analysed aren't sent again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from imagewatch.rules.model import Rule
from local.samples_report import document, log_groups, say_all
from local.viewer.records import ImageRecords
from local.viewer.stack import Stack, StackNotReadyError
from uploader.aws.dynamodb import to_item
from uploader.errors import CommandError
from uploader.rules.files import read_files
from uploader.terminal import Screen
from uploader.upload.discovery import find_files
from uploader.upload.follow import Analysis, Follower, current_version, still_running
from uploader.upload.image_records import ImageRecords as UploadedRecords
from uploader.upload.keys import image_id
from uploader.upload.plan import PlannedUpload, plan_uploads
from uploader.upload.transfer import Uploaded, Uploader
from uploader.upload.workers import Uploads

SAMPLES = Path(__file__).parent.parent / "samples"
SOURCE = "samples"
NOT_SAMPLES = {"PROVENANCE.md", "watchlist.yaml"}
SECONDS_TO_WAIT = 120.0
UPLOADS_AT_ONCE = 4


@dataclass(frozen=True)
class Loaded:
    """What a run did: the rules it added, and each sample's analysis; `sent` counts those uploaded this time."""

    rules_added: list[str]
    analyses: list[Analysis]
    sent: int
    trouble: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when each sample was analyzed or rejected: some samples are there to be rejected."""
        return 0 if not self.trouble and all(one.status in ("ANALYZED", "REJECTED") for one in self.analyses) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Loads the samples and prints what `make up` ends with; 1 when one of them didn't end as it should."""
    args = _parser().parse_args(arguments)
    screen = Screen(quiet=args.json)
    stack = Stack(args.endpoint_url)
    try:
        loaded = load_samples(stack, screen)
        mails = stack.mailbox()
        groups = [] if args.json else log_groups(stack)
    except (StackNotReadyError, CommandError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"The samples couldn't be loaded: {error}\n")
        return 1
    if args.json:
        screen.document(document(loaded, mails))
    else:
        say_all(screen, loaded, mails, args.endpoint_url, args.web_url, groups)
    for trouble in loaded.trouble:
        sys.stderr.write(trouble + "\n")
    return loaded.exit_code


def load_samples(
    stack: Stack,
    screen: Screen,
    *,
    folder: Path = SAMPLES,
    timeout: float = SECONDS_TO_WAIT,
    sleep: Callable[[float], None] = time.sleep,
) -> Loaded:
    """Adds the rules, uploads what isn't there yet, and waits up to `timeout` seconds for each one's end."""
    deadline = time.monotonic() + timeout
    rules = add_rules(stack, [one.rule for one in read_files([str(folder / "watchlist.yaml")])])
    there, missing = _split(stack, _planned(folder))
    sent, trouble = _send(stack, screen, missing)
    uploads = sorted([*there, *sent], key=lambda upload: upload.key)
    analyses = _follow(stack, screen, uploads, deadline - time.monotonic(), sleep)
    trouble += [f"{one.upload.path.name}: {one.reason}." for one in analyses if not one.ended]
    return Loaded(rules, [_with_whole_record(stack, one) for one in analyses], len(sent), trouble)


def add_rules(stack: Stack, rules: list[Rule]) -> list[str]:
    """Puts the rules that aren't in the watchlist; gives the names of those it put. A changed rule is never undone."""
    added = []
    for rule in rules:
        try:
            stack.client("dynamodb").put_item(
                TableName=stack.outputs["WatchlistTableName"],
                Item=to_item(rule.to_record()),
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
    """Which samples are in the bucket with the same content and a record that hasn't failed, and which must be sent."""
    there, missing = [], []
    records = ImageRecords(stack)
    bucket = stack.outputs["ImagesBucketName"]
    for item in planned:
        upload = _stored(stack, bucket, item)
        record = records.one(upload.image_id) if upload else None
        if upload and record and record.get("VersionId") == upload.version_id and record.get("Status") != "FAILED":
            there.append(upload)
        else:
            missing.append(item)
    return there, missing


def _stored(stack: Stack, bucket: str, item: PlannedUpload) -> Uploaded | None:
    """The object of this sample, if the bucket holds it with the content that the file has now."""
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


def _send(stack: Stack, screen: Screen, planned: list[PlannedUpload]) -> tuple[list[Uploaded], list[str]]:
    if not planned:
        screen.warn("The samples are in the bucket already.")
        return [], []
    screen.warn(f"Uploading {len(planned)} sample images ...")
    uploader = Uploader(stack.client("s3"), stack.outputs["ImagesBucketName"], SOURCE, lambda _count: None)
    outcomes = list(Uploads(planned, uploader.upload, min(UPLOADS_AT_ONCE, len(planned))))
    sent = [outcome for outcome in outcomes if isinstance(outcome, Uploaded)]
    failed = [f"{one.path.name} wasn't uploaded: {one.reason}" for one in outcomes if not isinstance(one, Uploaded)]
    return sent, failed


def _follow(
    stack: Stack, screen: Screen, uploads: list[Uploaded], timeout: float, sleep: Callable[[float], None]
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
    with screen.waiting_bar(len(uploads)) as bar:
        for analysis in follower.follow(uploads, max(timeout, 0.0)):
            analyses.append(analysis)
            bar.image_ended()
    return sorted(analyses, key=lambda analysis: analysis.upload.key)


def _with_whole_record(stack: Stack, analysis: Analysis) -> Analysis:
    """The analysis with all that its record says now: rules, and the execution's ARN."""
    record = ImageRecords(stack).one(analysis.upload.image_id)
    return replace(analysis, record=record) if record and analysis.ended else analysis


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.samples", description="Sends the sample photos.")
    endpoint = f"http://localhost:{os.environ.get('PORT', '4566')}"
    web = f"http://localhost:{os.environ.get('WEB_PORT', '8080')}"
    parser.add_argument("--endpoint-url", default=endpoint, help="Where the local stack answers. %(default)s if not given.")
    parser.add_argument("--web-url", default=web, help="Where its page is. %(default)s if not given.")
    parser.add_argument("--json", action="store_true", help="Print one JSON document on stdout, and nothing else.")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
