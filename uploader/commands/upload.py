"""`imagewatch upload`: finds files, uploads them, and with --wait shows what was found in them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import click

from imagewatch.images.version import UPLOADS_PREFIX
from uploader.aws.session import Aws, Deployment
from uploader.aws.stack import Stack, find_stack
from uploader.commands.options import deployment_options, json_option
from uploader.errors import CommandError, UsageError
from uploader.help import Command, argument, option
from uploader.terminal import Terminal
from uploader.upload.discovery import find_files
from uploader.upload.follow import Follower, current_version, still_running
from uploader.upload.image_records import ImageRecords
from uploader.upload.keys import source_name
from uploader.upload.plan import plan_uploads
from uploader.upload.render import analysis_lines, analysis_table, failure_line, summary_lines
from uploader.upload.summary import Results
from uploader.upload.transfer import NotUploaded, Outcome, Uploader
from uploader.upload.workers import Uploads, on_interrupt

DEFAULT_CONCURRENCY = 8
DEFAULT_TIMEOUT = 300
INTERRUPTED = "interrupted; the same command uploads all of them again"


@dataclass(frozen=True)
class _Request:
    """What the options of one command ask for."""

    source: str
    wait: bool
    timeout: int
    """Seconds."""
    concurrency: int
    deployment: Deployment


@click.command(cls=Command)
@argument("paths", nargs=-1, required=True, metavar="PATH...", help="A file, or with --recursive a folder, to upload.")
@option("-r", "--recursive", is_flag=True, help="Upload the images in folders and below them.")
@option("--all", "take_all", is_flag=True, help="With --recursive, upload files that aren't images too.")
@option(
    "--source", "--prefix", metavar="NAME",
    help="The camera or folder that the images come from. They go to uploads/NAME/. This host's name if not given.",
)  # fmt: skip
@option("--wait", is_flag=True, help="Wait for the analysis, and show what was found.")
@option(
    "--timeout", type=click.IntRange(1, 86_400), metavar="SECONDS",
    help=f"How long --wait waits after the uploads. {DEFAULT_TIMEOUT} if not given.",
)  # fmt: skip
@option(
    "--concurrency", type=click.IntRange(1, 64), default=DEFAULT_CONCURRENCY, show_default=True, metavar="N",
    help="The number of files that are uploaded at the same time.",
)  # fmt: skip
@json_option
@deployment_options
def upload(
    *,
    paths: tuple[str, ...],
    recursive: bool,
    take_all: bool,
    source: str | None,
    wait: bool,
    timeout: int | None,
    concurrency: int,
    as_json: bool,
    deployment: Deployment,
) -> int:
    """Upload images, which Imagewatch then checks, labels and moderates.

    A file that you name is uploaded whatever it is; if it is no image, its analysis says so. In a folder (--recursive), only
    images are uploaded. The content decides whether a file is an image, not its name. Skipped files are counted and listed.

    \b
    Examples:
      imagewatch upload photo.jpg --wait
      imagewatch upload ~/Pictures --recursive --source holiday
      imagewatch upload snapshots/*.jpg --source front-door --json
    """
    if timeout is not None and not wait:
        raise UsageError("--timeout is how long --wait waits, so it needs --wait.")
    terminal = Terminal(quiet=as_json)
    request = _Request(source_name(source), wait, timeout or DEFAULT_TIMEOUT, concurrency, deployment)
    findings = find_files(paths, recursive=recursive, take_all=take_all)
    plan = plan_uploads(findings.files, request.source)
    results = Results(plan.uploads, [*findings.failed, *plan.failed], findings.skipped, waited=wait)
    for failure in results.failed:
        terminal.note(failure_line(failure))
    try:
        _upload_and_wait(request, terminal, results)
    except CommandError as error:
        results.give_up(str(error))
        if as_json:
            terminal.print_json(results.document())
        raise
    if as_json:
        terminal.print_json(results.document())
    return results.exit_code


def _upload_and_wait(request: _Request, terminal: Terminal, results: Results) -> None:
    if not results.planned:
        terminal.print(*summary_lines(results, "", 0.0))
        return
    aws = request.deployment.aws(request.concurrency + 2)
    stack = find_stack(aws, request.deployment.stack)
    _upload(terminal, aws, stack.images_bucket, request, results)
    if not request.wait or results.interrupted or not results.uploaded:
        return
    _wait(terminal, aws, stack, results, request.timeout)
    if results.analyses:
        terminal.print("", analysis_table(results.analyses, f"{UPLOADS_PREFIX}{request.source}/"), "")
        terminal.print(*analysis_lines(results.analyses))


def _upload(terminal: Terminal, aws: Aws, bucket: str, request: _Request, results: Results) -> None:
    """Uploads the planned files. Afterwards each has an outcome."""
    began = time.monotonic()
    reason = ""
    with terminal.upload_bar(len(results.planned), sum(item.size for item in results.planned)) as bar:
        uploader = Uploader(aws.s3, bucket, request.source, bar.sent)
        uploads = Uploads(results.planned, uploader.upload, min(request.concurrency, len(results.planned)))
        with on_interrupt(uploads.interrupt):
            for outcome in uploads:
                reason = _take(outcome, terminal, results) or reason
                bar.finish_file()
    results.interrupted = uploads.interrupted
    results.give_up(INTERRUPTED if uploads.interrupted else reason)
    terminal.print(*summary_lines(results, bucket, time.monotonic() - began))


def _take(outcome: Outcome, terminal: Terminal, results: Results) -> str:
    """Records one outcome. Returns the reason of a failure that affects all other files."""
    failure = results.add(outcome)
    if failure:
        terminal.note(failure_line(failure))
    return outcome.reason if isinstance(outcome, NotUploaded) and outcome.affects_all else ""


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
                bar.finish_image()
    except KeyboardInterrupt:
        results.interrupted = True
        terminal.note("Interrupted while waiting. All files are uploaded, and their analysis continues.")
    except CommandError as error:
        results.not_followed(str(error))
