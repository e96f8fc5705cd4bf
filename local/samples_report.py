"""The report about the samples: a table of findings, the newest alert e-mail, and further commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from local import STACK_NAME
from local.viewer.stack import Stack
from uploader.terminal import printable
from uploader.upload.render import analysis_lines
from uploader.upload.render_findings import label_words, moderation_words, rule_words, status_words

if TYPE_CHECKING:
    from local.samples import Loaded
    from uploader.terminal import Terminal
    from uploader.upload.follow import Analysis

_MARGIN = ("  │ ", "cyan")


def print_report(
    terminal: Terminal, loaded: Loaded, mails: list[dict[str, Any]], endpoint_url: str, web_url: str, groups: list[str]
) -> None:
    """Print the whole report on stdout."""
    terminal.print("", findings_table(loaded.analyses), "")
    terminal.print(*reasons(loaded.analyses), *analysis_lines(loaded.analyses), "")
    terminal.print(*newest_mail(mails), "")
    terminal.print(*where_next(loaded, endpoint_url, web_url, groups))


def findings_table(analyses: Sequence[Analysis]) -> Table:
    """A row for each sample. Names aren't wrapped."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Image", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for heading in ("Labels", "Moderation", "Rules matched"):
        table.add_column(heading, overflow="fold")
    for analysis in analyses:
        found = ("", "", "")
        if analysis.status == "ANALYZED":
            found = (label_words(analysis.record), moderation_words(analysis.record), rule_words(analysis.record))
        name = printable(analysis.upload.path.name)
        table.add_row(Text(name), Text(*status_words(analysis)), *(Text(printable(cell)) for cell in found))
    return table


def reasons(analyses: Sequence[Analysis]) -> Iterator[Text]:
    """One sentence for each image that was not analyzed."""
    for analysis in analyses:
        if analysis.status != "ANALYZED":
            why = (analysis.reason or "the reason is unknown").rstrip(".")
            yield Text(printable(f"{analysis.upload.path.name}: {why}."), style="yellow")


def newest_mail(mails: list[dict[str, Any]]) -> Iterator[Text]:
    """The complete newest alert e-mail, or a sentence that there is none. Lines aren't wrapped, so links work."""
    if not mails:
        yield Text("No alert e-mail was sent.")
        return
    mail = mails[-1]
    count = "1 e-mail" if len(mails) == 1 else f"{len(mails)} e-mails"
    yield Text(f"The newest of {count} in the mailbox:", style="bold")
    yield Text("")
    yield Text.assemble(_MARGIN, ("To:      ", "dim"), printable(mail["to"]))
    yield Text.assemble(_MARGIN, ("Subject: ", "dim"), (printable(mail["subject"]), "bold"))
    yield Text.assemble(_MARGIN)
    for line in mail["body"].strip().splitlines():
        yield Text.assemble(_MARGIN, printable(line))


def where_next(loaded: Loaded, endpoint_url: str, web_url: str, groups: list[str]) -> Iterator[Text]:
    """Addresses and commands to continue with. Each command has its own line, so that it can be copied."""
    yield Text("Where to look next", style="bold")
    yield _place("Page", f"{web_url}/")
    yield _place("Mailbox", f"{web_url}/mailbox   (JSON: {endpoint_url}/_local/mailbox, files: .local/mailbox/)")
    aws = f"aws --endpoint-url {endpoint_url}"
    arn = _an_execution(loaded)
    if arn:
        yield _place("History of an execution", f"{web_url}/executions/{arn}")
        yield _command(f"{aws} stepfunctions get-execution-history --execution-arn {arn} --query 'events[].type'")
    yield _place("Stack outputs", "")
    yield _command(f"{aws} cloudformation describe-stacks --stack-name {STACK_NAME} --query 'Stacks[0].Outputs'")
    yield _place("Your own photos", "drop them on the viewer's page, or:")
    yield _command(f".venv/bin/imagewatch upload ~/Pictures --recursive --wait --endpoint-url {endpoint_url}")
    yield _place("Logs", "")
    # Version 1 of the AWS CLI has no `logs tail`.
    messages = "--query 'events[].message' --output text"
    read = f"filter-log-events --log-group-name {groups[0]} {messages}" if groups else "describe-log-groups"
    yield _command(f"{aws} logs {read}")
    yield _place("Stop", "make down")
    yield Text("")
    yield Text("The AWS CLI needs credentials and a region. Any credentials work:", style="dim")
    yield _command("export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1")


def log_groups(stack: Stack) -> list[str]:
    """The stack's log groups, with those of functions first."""
    groups = stack.client("logs").describe_log_groups()["logGroups"]
    names = [group["logGroupName"] for group in groups if STACK_NAME in group["logGroupName"].lower()]
    return sorted(names, key=lambda name: ("function" not in name.lower(), "states" in name.lower(), name))


def document(loaded: Loaded, mails: list[dict[str, Any]]) -> dict[str, Any]:
    """The report as a JSON document: added rules, each image with its findings, and the newest e-mail or null."""
    return {
        "rulesAdded": loaded.rules_added,
        "uploaded": loaded.sent,
        "images": [
            {
                "file": analysis.upload.path.name,
                "key": analysis.upload.key,
                "imageId": analysis.upload.image_id,
                "status": analysis.status,
                "reason": analysis.reason,
                "labels": list(analysis.record.labels),
                "moderation": analysis.record.moderation,
                "matchedRules": [rule.item for rule in analysis.record.rules],
                "rulesOmitted": analysis.record.rules_omitted,
                "executionArn": analysis.record.execution_arn or None,
            }
            for analysis in loaded.analyses
        ],
        "newestMail": mails[-1] if mails else None,
        "errors": loaded.errors,
    }


def _an_execution(loaded: Loaded) -> str | None:
    """The ARN of the execution with the most matched rules, which has the longest history."""
    by_rules = sorted(loaded.analyses, key=lambda one: -len(one.record.rules))
    return next((one.record.execution_arn for one in by_rules if one.record.execution_arn), None)


def _place(what: str, where: str) -> Text:
    return Text.assemble("  ", (f"{what:<25}", "bold cyan"), where)


def _command(line: str) -> Text:
    return Text("    " + line)
