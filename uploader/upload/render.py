"""Renders an upload for the terminal: a line for each failure, a summary, and a table of what was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from imagewatch.images import price
from uploader.terminal import printable
from uploader.upload.discovery import EMPTY, HIDDEN, NOT_AN_IMAGE, UnsentFile
from uploader.upload.follow import Analysis
from uploader.upload.render_findings import label_words, moderation_words, rule_words, status_words
from uploader.upload.summary import UploadSummary
from uploader.upload.transfer import Uploaded

NAMES_SHOWN = 5
ROWS_SHOWN = 500

_ADVICE = {NOT_AN_IMAGE: " (use --all to send them too)"}
_PLURALS = {NOT_AN_IMAGE: "not images", HIDDEN: "hidden", EMPTY: "empty"}


def failure_line(failure: UnsentFile) -> Text:
    return Text.assemble(("failed", "bold red"), f"  {printable(failure.path)}: {printable(failure.reason)}")


def summary_lines(summary: UploadSummary, bucket: str, seconds: float, calls_per_image: int = 0) -> Iterator[Text]:
    """The number of uploads and failures, with the reasons. `bucket` is empty when there was nothing to upload.

    `calls_per_image` is the number of Rekognition calls that an image costs; 0 where they cost nothing.
    """
    if summary.uploaded:
        yield _uploaded_line(summary, bucket, seconds)
    elif not summary.failed and not summary.never_sent:
        yield Text("Nothing was uploaded: no images were found.")
    if summary.renamed:
        yield _renamed_line(summary.renamed)
    if summary.again:
        yield _again_line(summary.again, calls_per_image)
    if summary.failed:
        yield Text(f"{_files(len(summary.failed))} failed.", style="bold red")
    if summary.never_sent:
        yield _not_uploaded_line(summary)
    yield from _skipped_lines(summary.skipped)


def analysis_table(analyses: Sequence[Analysis], prefix: str) -> Table:
    """A row for each image: its key below `prefix`, its status, and what was found in it or why nothing was."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Image", overflow="fold", max_width=40)
    table.add_column("Status", no_wrap=True)
    table.add_column("Labels", overflow="fold")
    table.add_column("Moderation", overflow="fold")
    table.add_column("Rules matched", overflow="fold")
    for analysis in analyses[:ROWS_SHOWN]:
        image = Text(printable(analysis.upload.key.removeprefix(prefix)))
        table.add_row(image, Text(*status_words(analysis)), *_found_cells(analysis))
    return table


def analysis_lines(analyses: Sequence[Analysis]) -> Iterator[Text]:
    """The sentences below the table: the numbers for each status, and why moderation wasn't checked."""
    if len(analyses) > ROWS_SHOWN:
        yield Text(f"... and {len(analyses) - ROWS_SHOWN:,} more; --json lists all of them.")
    counts: dict[str, int] = defaultdict(int)
    for analysis in analyses:
        counts["without a record" if analysis.status is None else status_words(analysis)[0]] += 1
    yield Text(", ".join(f"{count:,} {word}" for word, count in counts.items()) + ".")
    unchecked = [one.record for one in analyses if one.status == "ANALYZED" and not one.record.is_moderated]
    reasons = sorted({str((record.moderation or {}).get("Reason", "")) for record in unchecked} - {""})
    for reason in reasons:
        yield Text(f"Moderation was not checked: {printable(reason)}", style="yellow")
    for analysis in analyses[ROWS_SHOWN:]:
        if not analysis.succeeded:
            yield failure_line(UnsentFile(analysis.upload.key, analysis.reason))


def _found_cells(analysis: Analysis) -> tuple[Text, Text, Text]:
    if analysis.status != "ANALYZED":
        return Text(printable(analysis.reason)), Text(""), Text("")
    record = analysis.record
    moderation = moderation_words(record)
    style = "yellow" if moderation == "not checked" else "" if moderation.startswith("nothing found") else "bold red"
    return (
        Text(printable(label_words(record))),
        Text(printable(moderation), style=style),
        Text(printable(rule_words(record)), style="bold"),
    )


def _uploaded_line(summary: UploadSummary, bucket: str, seconds: float) -> Text:
    uploaded = summary.uploaded
    if len(uploaded) == 1:
        return Text(f"Uploaded {printable(str(uploaded[0].path))} to s3://{bucket}/{uploaded[0].key}")
    size = sum(upload.size for upload in uploaded)
    folder = "/".join(uploaded[0].key.split("/")[:2])
    return Text(f"Uploaded {_files(len(uploaded))} ({_bytes(size)}) to s3://{bucket}/{folder}/ in {seconds:.1f} s.")


def _renamed_line(renamed: Sequence[Uploaded]) -> Text:
    pairs = [f"{printable(str(upload.path))} -> {printable(upload.key)}" for upload in renamed]
    which = "got another key, because its own holds" if len(renamed) == 1 else "got other keys, because their own hold"
    return Text(f"{_files(len(renamed))} {which} other content (--replace would overwrite it): {_first(pairs)}", style="yellow")


def _again_line(again: Sequence[Uploaded], calls_per_image: int) -> Text:
    dollars = price.usd(len(again) * calls_per_image)
    cost = f", for about {_dollars(dollars)} ({calls_per_image} Rekognition calls for each image)" if calls_per_image else ""
    names = _first([printable(str(upload.path)) for upload in again])
    which = "was uploaded again: its content was already there. It is" if len(again) == 1 else (
        "were uploaded again: their content was already there. They are"
    )  # fmt: skip
    return Text(f"{_files(len(again))} {which} analysed again{cost}: {names}", style="yellow")


def _not_uploaded_line(summary: UploadSummary) -> Text:
    left = summary.never_sent
    return Text(f"{_files(len(left))} not uploaded: {printable(left[0].reason)}", style="bold red")


def _skipped_lines(skipped: Iterable[UnsentFile]) -> Iterator[Text]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for left in skipped:
        by_reason[left.reason].append(printable(left.path))
    for reason, names in by_reason.items():
        said = _PLURALS.get(reason, reason) if len(names) > 1 else reason
        yield Text(f"{_files(len(names))} skipped: {said}{_ADVICE.get(reason, '')}: {_first(names)}", style="dim")


def _first(names: Sequence[str]) -> str:
    more = f", and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.01 else f"${amount:.3f}"


def _files(count: int) -> str:
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
