"""`imagewatch upload`: finds files, uploads them, and with --wait shows what was found in them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import click

from imagewatch.images import price
from imagewatch.images.version import UPLOADS_PREFIX
from uploader.aws.session import Aws, Deployment, is_loopback
from uploader.aws.stack import Stack, find_parameter, find_stack
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
from uploader.upload.summary import UploadSummary
from uploader.upload.transfer import NotUploaded, Outcome, Uploader
from uploader.upload.workers import Uploads, on_interrupt

DEFAULT_CONCURRENCY = 8
DEFAULT_TIMEOUT = 300
INTERRUPTED = "interrupted; the same command uploads all files again"


@dataclass(frozen=True)
class _Request:
    """What the options of one command ask for."""

    source: str
    wait: bool
    timeout: int
    """Seconds."""
    concurrency: int
    replace: bool
    deployment: Deployment


@click.command(cls=Command)
@argument("paths", nargs=-1, required=True, metavar="PATH...", help="A file, or with --recursive a folder, to upload.")
@option("-r", "--recursive", is_flag=True, help="Upload the images in folders and below them.")
@option("--all", "take_all", is_flag=True, help="With --recursive, upload files that aren't images too.")
@option(
    "--source", "--prefix", metavar="NAME",
    help="The camera or folder that the images come from. They go to uploads/NAME/. This host's name if not given.",
)  # fmt: skip
@option("--replace", is_flag=True, help="Replace an image whose key holds other content. Without it, the file gets another key.")
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
    replace: bool,
    wait: bool,
    timeout: int | None,
    concurrency: int,
    as_json: bool,
    deployment: Deployment,
) -> int:
    """Upload images, which Imagewatch then checks, labels and moderates.

    A file becomes the object uploads/SOURCE/NAME. From a folder (--recursive), the folder's name and the path below it are kept:
    uploads/SOURCE/FOLDER/PATH. If that key holds another image, the file gets another key, unless --replace is given.

    A file that you name is uploaded whatever it is; if it is no image, its analysis says so. From a folder, only images are
    uploaded. The content decides whether a file is an image, not its name. Skipped files are counted and listed.

    \b
    Examples:
      imagewatch upload photo.jpg --wait
      imagewatch upload ~/Pictures --recursive --source holiday
      imagewatch upload snapshots/*.jpg --source front-door --json
    """
    if timeout is not None and not wait:
        raise UsageError("--timeout is how long --wait waits, so it needs --wait.")
    terminal = Terminal(quiet=as_json)
    request = _Request(source_name(source), wait, timeout or DEFAULT_TIMEOUT, concurrency, replace, deployment)
    findings = find_files(paths, recursive=recursive, take_all=take_all)
    plan = plan_uploads(findings.files, request.source)
    summary = UploadSummary(plan.uploads, [*findings.failed, *plan.failed], findings.skipped, waited=wait)
    for failure in summary.failed:
        terminal.note(failure_line(failure))
    try:
        _upload_and_wait(request, terminal, summary)
    except CommandError as error:
        summary.give_up(str(error))
        if as_json:
            terminal.print_json(summary.document())
        raise
    if as_json:
        terminal.print_json(summary.document())
    return summary.exit_code


def _upload_and_wait(request: _Request, terminal: Terminal, summary: UploadSummary) -> None:
    if not summary.planned:
        terminal.print(*summary_lines(summary, "", 0.0))
        return
    aws = request.deployment.aws(request.concurrency + 2)
    stack = find_stack(aws, request.deployment.stack)
    _upload(terminal, aws, stack.images_bucket, request, summary)
    if not request.wait or summary.interrupted or not summary.uploaded:
        return
    _wait(terminal, aws, stack, summary, request.timeout)
    if summary.analyses:
        terminal.print("", analysis_table(summary.analyses, f"{UPLOADS_PREFIX}{request.source}/"), "")
        terminal.print(*analysis_lines(summary.analyses))


def _upload(terminal: Terminal, aws: Aws, bucket: str, request: _Request, summary: UploadSummary) -> None:
    """Uploads the planned files. Afterwards each has an outcome."""
    began = time.monotonic()
    reason = ""
    with terminal.upload_bar(len(summary.planned), sum(item.size for item in summary.planned)) as bar:
        uploader = Uploader(aws.s3, bucket, request.source, bar.sent, replace=request.replace)
        uploads = Uploads(summary.planned, uploader.upload, min(request.concurrency, len(summary.planned)))
        with on_interrupt(uploads.interrupt):
            for outcome in uploads:
                reason = _take(outcome, terminal, summary) or reason
                bar.finish_file()
    summary.interrupted = uploads.interrupted
    summary.give_up(INTERRUPTED if uploads.interrupted else reason)
    calls = _calls_per_image(aws, request.deployment.stack) if summary.again else 0
    terminal.print(*summary_lines(summary, bucket, time.monotonic() - began, calls))


def _calls_per_image(aws: Aws, stack: str) -> int:
    """Rekognition calls for the analysis of an image; 0 on a local stack, where they cost nothing."""
    if is_loopback(aws.endpoint):
        return 0
    return price.calls(detects_text=find_parameter(aws, stack, "TextDetection") == "on")


def _take(outcome: Outcome, terminal: Terminal, summary: UploadSummary) -> str:
    """Records one outcome. Returns the reason of a failure that affects all other files."""
    failure = summary.add(outcome)
    if failure:
        terminal.note(failure_line(failure))
    return outcome.reason if isinstance(outcome, NotUploaded) and outcome.affects_all else ""


def _wait(terminal: Terminal, aws: Aws, stack: Stack, summary: UploadSummary, timeout: float) -> None:
    records = ImageRecords(aws.dynamodb, stack.images_table)
    follower = Follower(
        records.read,
        lambda upload: current_version(aws.s3, upload),
        lambda record: still_running(aws.stepfunctions, record),
    )
    try:
        with terminal.waiting_bar(len(summary.uploaded)) as bar:
            for analysis in follower.follow(summary.uploaded, timeout):
                summary.add_analysis(analysis)
                bar.finish_image()
    except KeyboardInterrupt:
        summary.interrupted = True
        terminal.note("Interrupted while waiting. All files are uploaded, and their analysis continues.")
    except CommandError as error:
        summary.not_followed(str(error))
