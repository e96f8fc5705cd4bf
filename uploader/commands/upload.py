"""`imagewatch upload`: finds files, sends them, and with --wait tells what the pipeline found in them."""

from __future__ import annotations

import argparse
import time

from uploader.arguments import add_connection_arguments, connection, number_between
from uploader.aws.session import Aws
from uploader.aws.stack import Stack, find_stack
from uploader.errors import CommandError, UsageError
from uploader.terminal import Terminal
from uploader.upload.discovery import find_files
from uploader.upload.follow import Follower, current_version, still_running
from uploader.upload.image_records import ImageRecords
from uploader.upload.keys import UPLOADS_PREFIX, source_name
from uploader.upload.plan import plan_uploads
from uploader.upload.render import analysis_lines, analysis_table, failure_line, summary_lines
from uploader.upload.summary import Results
from uploader.upload.transfer import NotUploaded, Outcome, Uploader
from uploader.upload.workers import Uploads, on_interrupt

SUMMARY = "Upload images, and with --wait show what was found in them."
DESCRIPTION = """\
Uploads images to a deployment of Imagewatch, which then checks, labels and moderates them.

A file that is named is sent whatever it is; Imagewatch says what is wrong with it. Below a folder (--recursive) only
images are sent, judged by their content and not by their name, and what was left out is counted and named."""
DEFAULT_CONCURRENCY = 8
DEFAULT_TIMEOUT = 300
INTERRUPTED = "interrupted; the same command sends all of them again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="A file, or with --recursive a folder, to upload.")
    parser.add_argument("-r", "--recursive", action="store_true", help="Upload the images in folders and below them.")
    parser.add_argument("--all", action="store_true", help="With --recursive, send files that aren't images too.")
    parser.add_argument(
        "--source", "--prefix", metavar="NAME",
        help="The camera or folder the images come from; they go to uploads/NAME/. This host's name if not given.",
    )  # fmt: skip
    parser.add_argument("--wait", action="store_true", help="Wait for the analysis, and show what was found.")
    parser.add_argument(
        "--timeout", type=number_between(1, 86_400), metavar="SECONDS",
        help=f"How long --wait waits after the uploads. It is {DEFAULT_TIMEOUT} if not given.",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="Print one JSON document on stdout, and nothing else.")
    parser.add_argument(
        "--concurrency", type=number_between(1, 64), default=DEFAULT_CONCURRENCY, metavar="N",
        help="How many files are sent at the same time. It is %(default)s if not given.",
    )  # fmt: skip
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises CommandError for what ends it before anything was sent."""
    if args.timeout is not None and not args.wait:
        raise UsageError("--timeout is how long --wait waits, so it needs --wait.")
    terminal = Terminal(quiet=args.json)
    source = source_name(args.source)
    findings = find_files(args.paths, recursive=args.recursive, take_all=args.all)
    plan = plan_uploads(findings.files, source)
    results = Results(plan.uploads, [*findings.failed, *plan.failed], findings.skipped, waited=args.wait)
    for failure in results.failed:
        terminal.note(failure_line(failure))
    try:
        _upload_and_wait(args, terminal, source, results)
    except CommandError as error:
        results.give_up(str(error))
        if args.json:
            terminal.print_json(results.document())
        raise
    if args.json:
        terminal.print_json(results.document())
    return results.exit_code


def _upload_and_wait(args: argparse.Namespace, terminal: Terminal, source: str, results: Results) -> None:
    if not results.planned:
        terminal.print(*summary_lines(results, "", 0.0))
        return
    aws = Aws(connection(args, pool_size=args.concurrency + 2))
    stack = find_stack(aws, args.stack)
    _upload(terminal, aws, stack.images_bucket, source, results, args.concurrency)
    if not args.wait or results.interrupted or not results.uploaded:
        return
    _wait(terminal, aws, stack, results, args.timeout or DEFAULT_TIMEOUT)
    if results.analyses:
        terminal.print("", analysis_table(results.analyses, f"{UPLOADS_PREFIX}/{source}/"), "")
        terminal.print(*analysis_lines(results.analyses))


def _upload(terminal: Terminal, aws: Aws, bucket: str, source: str, results: Results, concurrency: int) -> None:
    """Sends what is planned; after it every planned file has an outcome."""
    began = time.monotonic()
    reason = ""
    with terminal.upload_bar(len(results.planned), sum(item.size for item in results.planned)) as bar:
        uploader = Uploader(aws.s3, bucket, source, bar.sent)
        uploads = Uploads(results.planned, uploader.upload, min(concurrency, len(results.planned)))
        with on_interrupt(uploads.interrupt):
            for outcome in uploads:
                reason = _take(outcome, terminal, results) or reason
                bar.file_ended()
    results.interrupted = uploads.interrupted
    results.give_up(INTERRUPTED if uploads.interrupted else reason)
    terminal.print(*summary_lines(results, bucket, time.monotonic() - began))


def _take(outcome: Outcome, terminal: Terminal, results: Results) -> str:
    """Takes in one outcome; gives the reason when it is one that all other files share."""
    failure = results.add(outcome)
    if failure:
        terminal.note(failure_line(failure))
    return outcome.reason if isinstance(outcome, NotUploaded) and outcome.hopeless else ""


def _wait(terminal: Terminal, aws: Aws, stack: Stack, results: Results, timeout: float) -> None:
    records = ImageRecords(aws.dynamodb, stack.images_table)
    follower = Follower(
        records.read,
        lambda upload: current_version(aws.s3, upload),
        lambda record: still_running(aws.stepfunctions, record),
    )
    try:
        with terminal.waiting_bar(len(results.uploaded)) as bar:
            for analysis in follower.follow(results.uploaded, timeout):
                results.add_analysis(analysis)
                bar.image_ended()
    except KeyboardInterrupt:
        results.interrupted = True
        terminal.note("Interrupted while waiting. All of them are uploaded, and their analysis goes on.")
    except CommandError as error:
        results.not_followed(str(error))
