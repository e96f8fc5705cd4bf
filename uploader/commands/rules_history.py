"""`imagewatch rules preview` and `apply`: a rule and the images of the past."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.text import Text

from imagewatch.alerts.cooldown import in_words
from imagewatch.images.links import image_url
from imagewatch.images.version import ImageVersion
from imagewatch.rules.model import Rule
from imagewatch.rules.schedule import snoozed
from imagewatch.timestamps import iso_utc
from uploader.arguments import connection, connection_options
from uploader.aws.session import Aws
from uploader.aws.stack import find_parameter
from uploader.backfill.render import doing, ending_lines, how_to_go_on, run_document
from uploader.backfill.runs import SUCCEEDED, Runs, RunState, estimate
from uploader.backfill.stored_images import SEGMENTS, StoredImages
from uploader.errors import CommandError, UsageError
from uploader.rules.advice import advice
from uploader.rules.files import is_file, read_files
from uploader.rules.preview import Preview, messages_at_most, messages_at_once
from uploader.rules.preview import preview as preview_rules
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
from uploader.upload.summary import INTERRUPTED_EXIT_CODE

EXAMPLES = 5
_SILENT = "A snooze is left out of this: it is snoozed until {}, and sends nothing before."


def preview(args: argparse.Namespace) -> int:
    aws, terminal = Aws(connection(args, pool_size=SEGMENTS + 2)), Terminal(quiet=args.json)
    until = _until(args)
    wanted, present = _wanted(aws, args)
    for one in advice(aws, args.stack, wanted):
        terminal.note(Text(printable(one.text), style="yellow"))
    pairs = [(rule, present.get(rule.rule_id)) for rule in wanted]
    previews = iter(_look_back(aws, terminal, args, until, [rule for pair in pairs for rule in pair if rule]))
    link = _link(aws, args.stack)
    documents = []
    for rule, before in pairs:
        new, old = next(previews), next(previews) if before else None
        if args.json:
            compared = {"compared": comparison_document(new, old)} if old else {}
            documents.append({**preview_document(new, args.examples, link), **compared})
            continue
        examples = EXAMPLES if args.examples is None else args.examples
        terminal.print(*preview_lines(new, args.since, until, examples, link), *(comparison_lines(new, old) if old else ()), "")
        terminal.print(*_notes(rule))
    if args.json:
        terminal.print_json({"since": args.since, "until": until, "rules": documents})
    return 0


def apply(args: argparse.Namespace) -> int:
    named = args.follow or args.stop or args.resume
    if bool(named) == bool(args.rule):
        raise UsageError("name the rule to apply; or a run with --follow, --stop or --resume, and no rule.")
    aws, terminal = Aws(connection(args, pool_size=SEGMENTS + 2)), Terminal(quiet=args.json)
    if not named:
        return _start(aws, terminal, args)
    runs = Runs(aws, args.stack)
    if args.dry_run:
        raise UsageError("--dry-run goes with a rule; a run has begun already.")
    if args.stop:
        runs.stop(named)
        return _told(terminal, args, runs.state(named), stopped=True)
    if args.resume:
        runs.resume(named)
        terminal.note("The run goes on from where it was.")
    return _told(terminal, args, runs.state(named)) if args.detach else _follow(aws, terminal, args, runs, named)


def _start(aws: Aws, terminal: Terminal, args: argparse.Namespace) -> int:
    until = _until(args)
    rule = Rules(aws, args.stack).get(args.rule).valid()
    if not rule.enabled:
        raise CommandError(f"the rule {rule.rule_id} is disabled, so it matches nothing. `imagewatch rules enable` first.")
    runs = Runs(aws, args.stack)
    alerts = "sends alerts" if args.alert else "sends nothing"
    terminal.print(
        f"Applies {rule.rule_id}, version {rule.version}, to images from {minute(args.since)} to {minute(until)}, and {alerts}.",
        estimate(StoredImages(aws, args.stack).size()),
    )
    if args.dry_run or (args.alert and not args.yes):
        (seen,) = _look_back(aws, terminal, args, until, [rule])
        terminal.print(*_foreseen(rule, seen, args, until))
        if args.dry_run:
            return _foretold(terminal, args, rule, seen)
        if not sys.stdin.isatty() or args.json:
            raise UsageError("--alert sends messages to people; say --yes.")
        if not terminal.confirm("Start it?"):
            terminal.print("Nothing was started.")
            return 1
    arn = runs.start(rule.rule_id, args.since, args.until, alert=args.alert)
    if args.detach:
        return _told(terminal, args, runs.state(arn))
    terminal.print(f"Started {arn}")
    return _follow(aws, terminal, args, runs, arn)


def _follow(aws: Aws, terminal: Terminal, args: argparse.Namespace, runs: Runs, arn: str) -> int:
    """Shows the run's progress to its end. Ctrl-C ends the showing, and not the run."""
    state = runs.state(arn)
    total = StoredImages(aws, args.stack).size().images or None
    try:
        with terminal.counting_bar("Applying", total) as bar:
            for state in runs.follow(arn):
                bar.at(int(state.progress.get("Examined", 0)), doing(state))
    except KeyboardInterrupt:
        _told(terminal, args, state)
        return INTERRUPTED_EXIT_CODE
    return _told(terminal, args, state)


def _told(terminal: Terminal, args: argparse.Namespace, state: RunState, *, stopped: bool = False) -> int:
    """Says how the run stands; 1 when it ended otherwise than it was meant to."""
    if args.json:
        terminal.print_json(run_document(state))
    terminal.print(*ending_lines(state), *how_to_go_on(state, connection_options(args)))
    return 0 if stopped or state.is_running or state.status == SUCCEEDED else 1


def _foreseen(rule: Rule, seen: Preview, args: argparse.Namespace, until: str) -> list[str]:
    lines = [f"It will match {len(seen.hits):,} of {seen.images:,} images."]
    if not args.alert:
        return lines
    if snoozed(rule, now()):
        return [*lines, f"It is snoozed until {minute(rule.snoozed_until)}, so it sends no message."]
    most, few, channels = messages_at_most(seen), messages_at_once(seen), len(rule.channels)
    each = f" on each of its {channels} channels" if channels > 1 else ""
    short = f" ({few:,} if it lasts no longer than the cooldown of {in_words(rule.cooldown.seconds)})" if few < most else ""
    held = "; what a cooldown holds back is counted in a later message or a digest" if rule.cooldown.seconds else ""
    rest = "those that had an alert before get none again, and what is more than a channel's rate comes in digests"
    return [*lines, f"That is at most {most:,} {'message' if most == 1 else 'messages'}{each}{short}: {rest}{held}."]


def _foretold(terminal: Terminal, args: argparse.Namespace, rule: Rule, seen: Preview) -> int:
    if args.json:
        alerts = args.alert and not snoozed(rule, now())
        most, few = (messages_at_most(seen), messages_at_once(seen)) if alerts else (0, 0)
        messages = {"messages_at_most": most, "messages_within_cooldown": few}
        terminal.print_json({"dry_run": True, "rule": rule.rule_id, "images": seen.images, "matched": len(seen.hits), **messages})
    terminal.print("Nothing was started (--dry-run).")
    return 0


def _look_back(aws: Aws, terminal: Terminal, args: argparse.Namespace, until: str, rules: Sequence[Rule]) -> list[Preview]:
    images = StoredImages(aws, args.stack)
    with terminal.counting_bar("Looking back", images.size().images or None) as bar:
        return preview_rules(rules, images.pages(args.since, until), bar.advance)


def _wanted(aws: Aws, args: argparse.Namespace) -> tuple[list[Rule], dict[str, Rule]]:
    """The rules to look back with, and those of the watchlist that they would replace."""
    rules = Rules(aws, args.stack)
    if not is_file(args.rule):
        return [rules.get(args.rule).valid()], {}
    written = [one.rule for one in read_files([args.rule])]
    if not written:
        raise UsageError(f"{args.rule}: there is no rule in it.")
    there = rules.all() if len(written) > 1 else {one.rule_id: rules.find(one.rule_id) for one in written}
    return written, {rule_id: stored.rule for rule_id, stored in there.items() if stored and stored.rule}


def _notes(rule: Rule) -> list[str]:
    notes = [] if rule.enabled else ["It is disabled now; this is what it would do."]
    return [*notes, _SILENT.format(minute(rule.snoozed_until))] if snoozed(rule, now()) else notes


def _until(args: argparse.Namespace) -> str:
    until: str = args.until or iso_utc(now())
    if args.since >= until:
        raise UsageError(f"--since must be before --until, but {minute(args.since)} isn't before {minute(until)}.")
    return until


def _link(aws: Aws, stack: str) -> Link:
    web_url, region = find_parameter(aws, stack, "WebUrl"), aws.dynamodb.meta.region_name

    def link(image: ImageVersion) -> str:
        return image_url(image, web_url, region)

    return link
