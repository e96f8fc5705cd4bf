"""`imagewatch rules preview` and `apply`: a rule and images of the past."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from imagewatch.alerts.cooldown import render_duration
from imagewatch.images.links import image_url
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import DIGEST
from imagewatch.rules.model import Rule
from imagewatch.rules.preview import Preview, messages_at_most, messages_at_once
from imagewatch.rules.preview import preview as preview_rules
from imagewatch.rules.schedule import is_snoozed
from imagewatch.timestamps import iso_utc
from uploader.aws.session import Aws, Deployment
from uploader.aws.stack import find_parameter
from uploader.backfill.render import ending_lines, next_commands, progress_text, run_document
from uploader.backfill.runs import SUCCEEDED, Runs, RunState, estimate
from uploader.backfill.stored_images import SEGMENTS, StoredImages
from uploader.commands.options import AGE, deployment_options, dry_run_option, json_option
from uploader.errors import INTERRUPTED_EXIT_CODE, CommandError, UsageError
from uploader.help import Command, argument, option
from uploader.rules.advice import advice
from uploader.rules.files import is_file, read_files
from uploader.rules.mute_store import MuteStore, mute_lines
from uploader.rules.render_preview import (
    Link,
    comparison_document,
    comparison_lines,
    preview_document,
    preview_lines,
)
from uploader.rules.rule_store import Rules
from uploader.terminal import Terminal, printable
from uploader.times import minute, now

EXAMPLES = 5
_SNOOZED = "The snooze is ignored here: the rule is snoozed until {}, and sends nothing before."
_CONNECTIONS = SEGMENTS + 2


@dataclass(frozen=True)
class _Range:
    """The time of upload of the images that a command looks at. ISO 8601, UTC; `given_until` is None for now."""

    since: str
    given_until: str | None
    until: str

    @classmethod
    def of(cls, since: str, until: str | None) -> _Range:
        """Raises UsageError for a range that ends before it begins."""
        end = until or iso_utc(now())
        if since >= end:
            raise UsageError(f"--since must be before --until, but {minute(since)} isn't before {minute(end)}.")
        return cls(since, until, end)


@dataclass(frozen=True)
class _Session:
    """What the steps of a command share."""

    aws: Aws
    terminal: Terminal
    deployment: Deployment
    as_json: bool

    @classmethod
    def of(cls, deployment: Deployment, as_json: bool) -> _Session:
        return cls(deployment.aws(_CONNECTIONS), Terminal(quiet=as_json), deployment, as_json)


@dataclass(frozen=True)
class _Start:
    """How to start a run."""

    range: _Range
    alert: bool
    yes: bool
    detach: bool
    dry_run: bool


def _range_options(command: Callable[..., Any]) -> Callable[..., Any]:
    since = option(
        "--since", type=AGE, default="30d", show_default=True, metavar="WHEN",
        help="The time of upload of the first image: an age (90m, 12h, 30d) or a date.",
    )  # fmt: skip
    until = option("--until", type=AGE, metavar="WHEN", help="The time after the last image: an age or a date. Now if not given.")
    return since(until(command))


@click.command(cls=Command)
@argument("rule", metavar="RULE-OR-FILE", help="The rule's id, or a YAML file with one rule or several.")
@option(
    "--examples", type=click.IntRange(0, 1_000_000), metavar="N",
    help="The number of matches to show. 5 if not given; with --json, all of them.",
)  # fmt: skip
@_range_options
@json_option
@deployment_options
def preview(*, rule: str, examples: int | None, since: str, until: str | None, as_json: bool, deployment: Deployment) -> int:
    """Show what a rule would have matched and sent in the past. The rule need not be stored.

    It matches the stored findings, so it doesn't call Rekognition. Nothing is written or sent.

    \b
    Examples:
      imagewatch rules preview gate --since 7d
      imagewatch rules preview draft.yaml --since 2027-01-01 --until 2027-02-01 --json
    """
    session, when = _Session.of(deployment, as_json), _Range.of(since, until)
    wanted, present = _wanted(session, rule)
    for one in advice(session.aws, deployment.stack, wanted):
        session.terminal.note(Text(printable(one.text), style="yellow"))
    pairs = [(new, present.get(new.rule_id)) for new in wanted]
    previews = iter(_preview(session, when, [one for pair in pairs for one in pair if one]))
    link = _link(session.aws, deployment.stack)
    documents = []
    for written, before in pairs:
        new, old = next(previews), next(previews) if before else None
        if as_json:
            compared = {"compared": comparison_document(new, old)} if old else {}
            documents.append({**preview_document(new, examples, link), **compared})
            continue
        shown = EXAMPLES if examples is None else examples
        differences = comparison_lines(new, old) if old else ()
        session.terminal.print(*preview_lines(new, when.since, when.until, shown, link), *differences, "")
        session.terminal.print(*_notes(written))
    if as_json:
        session.terminal.print_json({"since": when.since, "until": when.until, "rules": documents})
    return 0


@click.command(cls=Command)
@argument("rule", required=False, metavar="[RULE]", help="The rule's id.")
@_range_options
@option("--alert", is_flag=True, help="Send alerts for matches that had none. It asks first.")
@option("--yes", is_flag=True, help="Don't ask.")
@option("--detach", is_flag=True, help="Start the run, and don't wait for its end.")
@option("--follow", metavar="ARN", help="Show the progress of a run that was started before.")
@option("--stop", metavar="ARN", help="Stop a run. What it has recorded stays.")
@option("--resume", metavar="ARN", help="Continue a run that failed or was stopped.")
@dry_run_option
@json_option
@deployment_options
def apply(
    *,
    rule: str | None,
    since: str,
    until: str | None,
    alert: bool,
    yes: bool,
    detach: bool,
    follow: str | None,
    stop: str | None,
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    deployment: Deployment,
) -> int:
    """Match a rule against past images and record its matches on them.

    It matches the stored findings, so it doesn't call Rekognition. It sends alerts only with --alert. The run continues in AWS
    when this command ends.

    \b
    Examples:
      imagewatch rules apply gate --since 7d --dry-run
      imagewatch rules apply gate --since 7d --alert
      imagewatch rules apply --stop ARN
    """
    named = [run for run in (follow, stop, resume) if run]
    if len(named) > 1:
        raise UsageError("--follow, --stop and --resume exclude each other.")
    if bool(named) == bool(rule):
        raise UsageError("name the rule to apply; or a run with --follow, --stop or --resume, and no rule.")
    session = _Session.of(deployment, as_json)
    if rule:
        return _start(session, rule, _Start(_Range.of(since, until), alert, yes, detach, dry_run))
    if dry_run:
        raise UsageError("--dry-run goes with a rule; a run has begun already.")
    runs = Runs(session.aws, deployment.stack)
    if stop:
        runs.stop(stop)
        return _report(session, runs.state(stop), stopped=True)
    if resume:
        runs.resume(resume)
        session.terminal.note("The run continues from where it was.")
    return _report(session, runs.state(named[0])) if detach else _follow(session, runs, named[0])


def _start(session: _Session, rule_id: str, start: _Start) -> int:
    terminal, when = session.terminal, start.range
    rule = Rules(session.aws, session.deployment.stack).get(rule_id).valid()
    if not rule.enabled:
        raise CommandError(f"the rule {rule.rule_id} is disabled, so it matches nothing. `imagewatch rules enable` first.")
    runs = Runs(session.aws, session.deployment.stack)
    alerts = "sends alerts" if start.alert else "sends nothing"
    terminal.print(
        f"Applies {rule.rule_id}, version {rule.version}, to images from {minute(when.since)} to {minute(when.until)},"
        f" and {alerts}.",
        estimate(StoredImages(session.aws, session.deployment.stack).size()),
    )
    if start.alert:
        terminal.print(*mute_lines(MuteStore(session.aws, session.deployment.stack).read()))
    if start.dry_run or (start.alert and not start.yes):
        (seen,) = _preview(session, when, [rule])
        terminal.print(*_forecast(rule, seen, start))
        if start.dry_run:
            return _report_forecast(session, rule, seen, start)
        if not sys.stdin.isatty() or session.as_json:
            raise UsageError("--alert sends messages to people; say --yes.")
        if not terminal.confirm("Start it?"):
            terminal.print("Nothing was started.")
            return 1
    arn = runs.start(rule.rule_id, when.since, when.given_until, alert=start.alert)
    if start.detach:
        return _report(session, runs.state(arn))
    terminal.print(f"Started {arn}")
    return _follow(session, runs, arn)


def _follow(session: _Session, runs: Runs, arn: str) -> int:
    """Shows the run's progress until it ends. Ctrl-C ends this command, and not the run."""
    state = runs.state(arn)
    total = StoredImages(session.aws, session.deployment.stack).size().images or None
    try:
        with session.terminal.counting_bar("Applying", total) as bar:
            for state in runs.follow(arn):
                bar.update(int(state.progress.get("Examined", 0)), progress_text(state))
    except KeyboardInterrupt:
        _report(session, state)
        return INTERRUPTED_EXIT_CODE
    return _report(session, state)


def _report(session: _Session, state: RunState, *, stopped: bool = False) -> int:
    """Prints the state of the run. Returns 1 when it failed."""
    if session.as_json:
        session.terminal.print_json(run_document(state))
    session.terminal.print(*ending_lines(state), *next_commands(state, session.deployment.options))
    return 0 if stopped or state.is_running or state.status == SUCCEEDED else 1


def _forecast(rule: Rule, seen: Preview, start: _Start) -> list[str]:
    lines = [f"It will match {len(seen.matches):,} of {seen.images:,} images."]
    if not start.alert:
        return lines
    if is_snoozed(rule, now()):
        return [*lines, f"It is snoozed until {minute(rule.snoozed_until)}, so it sends no message."]
    if rule.delivery == DIGEST:
        return [*lines, "It sends no message for each match: its matches wait for the next digest of each channel."]
    most, few, channels = messages_at_most(seen), messages_at_once(seen), len(rule.channels)
    each = f" on each of its {channels} channels" if channels > 1 else ""
    short = (
        f" ({few:,} if it lasts no longer than the cooldown of {render_duration(rule.cooldown.seconds)})" if few < most else ""
    )
    counted = "; matches that a cooldown suppresses are counted in a later message or a digest" if rule.cooldown.seconds else ""
    rest = "matches that had an alert before get no other, and alerts beyond a channel's rate are sent in digests"
    return [*lines, f"That is at most {most:,} {'message' if most == 1 else 'messages'}{each}{short}: {rest}{counted}."]


def _report_forecast(session: _Session, rule: Rule, seen: Preview, start: _Start) -> int:
    if session.as_json:
        alerts = start.alert and not is_snoozed(rule, now())
        most, few = (messages_at_most(seen), messages_at_once(seen)) if alerts else (0, 0)
        messages = {"messages_at_most": most, "messages_within_cooldown": few}
        counts = {"images": seen.images, "matched": len(seen.matches)}
        session.terminal.print_json({"dry_run": True, "rule": rule.rule_id, **counts, **messages})
    session.terminal.print("Nothing was started (--dry-run).")
    return 0


def _preview(session: _Session, when: _Range, rules: Sequence[Rule]) -> list[Preview]:
    images = StoredImages(session.aws, session.deployment.stack)
    with session.terminal.counting_bar("Looking back", images.size().images or None) as bar:
        return preview_rules(rules, images.pages(when.since, when.until), bar.advance)


def _wanted(session: _Session, rule: str) -> tuple[list[Rule], dict[str, Rule]]:
    """The rules to preview, and the stored rules that they would replace."""
    rules = Rules(session.aws, session.deployment.stack)
    if not is_file(rule):
        return [rules.get(rule).valid()], {}
    written = [one.rule for one in read_files([rule])]
    if not written:
        raise UsageError(f"{rule}: there is no rule in it.")
    there = rules.all() if len(written) > 1 else {one.rule_id: rules.find(one.rule_id) for one in written}
    return written, {rule_id: stored.rule for rule_id, stored in there.items() if stored and stored.rule}


def _notes(rule: Rule) -> list[str]:
    notes = [] if rule.enabled else ["It is disabled now; this is what it would do."]
    return [*notes, _SNOOZED.format(minute(rule.snoozed_until))] if is_snoozed(rule, now()) else notes


def _link(aws: Aws, stack: str) -> Link:
    web_url, region = find_parameter(aws, stack, "WebUrl"), aws.dynamodb.meta.region_name

    def link(image: ImageVersion) -> str:
        return image_url(image, web_url, region)

    return link
