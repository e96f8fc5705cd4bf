"""`imagewatch rules add`, `edit`, `enable`, `disable`, `snooze` and `delete`."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
from rich.text import Text

from imagewatch.rules.model import Rule
from imagewatch.timestamps import iso_utc
from uploader.alerts.alert_store import AlertStore
from uploader.aws.session import Deployment
from uploader.commands.options import DURATION, TIME, deployment_options, dry_run_option, json_option
from uploader.commands.rule_options import rule_flags
from uploader.errors import CommandError, UsageError
from uploader.help import Command, argument, option
from uploader.rules.changes import Change, change
from uploader.rules.editor import Draft
from uploader.rules.files import STDIN, document, is_file, read_files, read_one, read_source
from uploader.rules.flags import RuleFlags, changed_by, rule_from
from uploader.rules.rule_store import Stored
from uploader.rules.session import RuleSession, WriteOptions
from uploader.rules.yaml_document import dump
from uploader.terminal import printable
from uploader.times import minute, now

_HEAD = """\
# The rule {rule_id}, version {version}. When you save it and close the editor, it is checked and then written.
# If you leave it unchanged, nothing is written. The fields are described in docs/watchlist.md.
"""
_CHANGE = "Change it"
_rule = argument("rule", metavar="RULE", help="The rule's id.")
_no_questions = option("--yes", is_flag=True, help="Don't ask whether an unknown name is meant.")


@click.command(cls=Command)
@argument("rule", metavar="NAME-OR-FILE", help="The new rule's name, with flags; or a YAML file (- is stdin), without flags.")
@option("--id", "rule_id", metavar="ID", help="The rule's id: a-z, 0-9 and -. The name gives it if not given.")
@rule_flags(edits=False)
@_no_questions
@dry_run_option
@json_option
@deployment_options
def add(
    *, rule: str, rule_id: str | None, flags: RuleFlags, yes: bool, dry_run: bool, as_json: bool, deployment: Deployment
) -> int:
    """Add a rule: from a name and flags, or from a file.

    \b
    Examples:
      imagewatch rules add "Person at the gate" --any Person:90 --source gate --cooldown 10m
      imagewatch rules add "Weapons" --any moderation=Weapons:60 --severity critical --channel ops
      imagewatch rules add rule.yaml --dry-run
    """
    wanted = _new_rules(rule, rule_id, flags)
    session = RuleSession(deployment, WriteOptions(as_json, dry_run, yes))
    there = session.rules.all() if len(wanted) > 1 else {one.rule_id: session.rules.find(one.rule_id) for one in wanted}
    known = [one.rule_id for one in wanted if there.get(one.rule_id)]
    if known:
        raise CommandError(
            f"there is a rule {known[0]} already: `imagewatch rules edit {known[0]}` changes it,"
            " `imagewatch rules import` makes rules as a file has them."
        )
    said = session.advise(wanted, ask="" if rule == STDIN else f"Add {'it' if len(wanted) == 1 else 'them'}")
    code = session.carry_out([change(one, None) for one in wanted], said)
    if not dry_run:
        trial = f"imagewatch rules preview {wanted[0].rule_id}{deployment.options}"
        session.terminal.print(f"To see what it would have done in the last 30 days: {trial}")
    return code


def _new_rules(rule: str, rule_id: str | None, flags: RuleFlags) -> list[Rule]:
    if flags.any_given:
        return [rule_from(rule, rule_id, flags)]
    if rule_id is not None:
        raise UsageError("--id goes with a name and flags such as --any Person:90; a file says RuleId.")
    if not is_file(rule) or (" " in rule and not Path(rule).exists()):
        raise UsageError(f"there is no file {rule!r}. To add a rule of this name, say what to look for: --any Person:90.")
    return [one.rule for one in read_files([rule])]


@click.command(cls=Command)
@_rule
@option("--file", "file", metavar="FILE", help="A YAML file that replaces the rule (- is stdin).")
@rule_flags(edits=True)
@_no_questions
@dry_run_option
@json_option
@deployment_options
def edit(
    *, rule: str, file: str | None, flags: RuleFlags, yes: bool, dry_run: bool, as_json: bool, deployment: Deployment
) -> int:
    """Change a rule: in $EDITOR, from a file, or by flags.

    \b
    Examples:
      imagewatch rules edit gate
      imagewatch rules edit gate --min-confidence Person:95 --cooldown 30m
      imagewatch rules edit gate --file gate.yaml
    """
    if flags.any_given and file:
        raise UsageError("--file says all of the rule; give it, or flags, and not both.")
    session = RuleSession(deployment, WriteOptions(as_json, dry_run, yes))
    before = session.rules.get(rule)
    if flags.any_given:
        return session.replace(changed_by(flags, before.valid()), before, ask=_CHANGE)
    if file:
        return session.replace(read_one(*read_source(file), rule).rule, before, ask="" if file == STDIN else _CHANGE)
    return _in_editor(session, before)


def _in_editor(session: RuleSession, before: Stored) -> int:
    record = before.rule.to_item() if before.rule else dict(before.record)
    head = _HEAD.format(rule_id=before.rule_id, version=before.version)
    if before.problem:
        head += f"# It is ignored as it is: {printable(before.problem)}\n"
    draft = Draft.of(f"{before.rule_id if before.rule else 'rule'}.yaml", head + dump(document(record)))

    def again(problem: str) -> bool:
        session.terminal.note(Text(printable(problem.replace("\n", "; ")), style="red"))
        return sys.stdin.isatty() and session.terminal.confirm("Edit it again?")

    written = draft.edited(lambda text: read_one(text, draft.path.name, before.rule_id), again)
    if written is None:
        draft.discard()
        return session.carry_out([Change(before.rule_id, before.rule, before)] if before.rule else [])
    try:
        code = session.replace(written.rule, before, ask=_CHANGE)
    except CommandError as error:
        raise CommandError(f"{error} {draft.kept}") from error
    if session.options.dry_run:
        session.terminal.print(draft.kept)
    else:
        draft.discard()
    return code


@click.command(cls=Command)
@_rule
@dry_run_option
@json_option
@deployment_options
def enable(*, rule: str, dry_run: bool, as_json: bool, deployment: Deployment) -> int:
    """Let a disabled rule match again."""
    return _switch(rule, RuleSession(deployment, WriteOptions(as_json, dry_run)), on=True)


@click.command(cls=Command)
@_rule
@dry_run_option
@json_option
@deployment_options
def disable(*, rule: str, dry_run: bool, as_json: bool, deployment: Deployment) -> int:
    """Stop a rule from matching until it is enabled."""
    return _switch(rule, RuleSession(deployment, WriteOptions(as_json, dry_run)), on=False)


def _switch(rule: str, session: RuleSession, *, on: bool) -> int:
    before = session.rules.get(rule)
    return session.replace(replace(before.valid(), enabled=on), before)


@click.command(cls=Command)
@_rule
@option("--for", "length", type=DURATION, metavar="TIME", help="Snooze for this time: 30m, 2h, 7d.")
@option("--until", type=TIME, metavar="TIME", help="Snooze until then, such as 2027-01-31T08:00 (this machine's time zone).")
@option("--off", is_flag=True, help="End a snooze.")
@dry_run_option
@json_option
@deployment_options
def snooze(
    *, rule: str, length: int | None, until: str | None, off: bool, dry_run: bool, as_json: bool, deployment: Deployment
) -> int:
    """Mute a rule for a while. Its matches are still recorded.

    \b
    Examples:
      imagewatch rules snooze gate --for 2h
      imagewatch rules snooze gate --off
    """
    if [length is not None, until is not None, off].count(True) != 1:
        raise UsageError("give exactly one of --for, --until and --off.")
    end = iso_utc(now() + timedelta(seconds=length)) if length else until or ""
    if length == 0 or (end and end <= iso_utc(now())):
        raise UsageError("that moment is past; a snooze ends in the future. --off ends a snooze now.")
    session = RuleSession(deployment, WriteOptions(as_json, dry_run))
    before = session.rules.get(rule)
    code = session.replace(replace(before.valid(), snoozed_until=end), before)
    session.terminal.print(
        f"It sends no alerts until {minute(end)}. Its matches are still recorded." if end else "It sends alerts again."
    )
    return code


@click.command(cls=Command)
@_rule
@option("--yes", is_flag=True, help="Don't ask.")
@dry_run_option
@json_option
@deployment_options
def delete(*, rule: str, yes: bool, dry_run: bool, as_json: bool, deployment: Deployment) -> int:
    """Delete a rule. Its alerts are kept."""
    session = RuleSession(deployment, WriteOptions(as_json, dry_run, yes))
    before = session.rules.get(rule)
    alerts = AlertStore(session.aws, deployment.stack).count_of_rule(rule)
    had = f"It has had {alerts:,} {'alert' if alerts == 1 else 'alerts'}; they are kept."
    session.terminal.print(f"{printable(str(before.record.get('Name', '')))} ({before.rule_id}, version {before.version}). {had}")
    if not yes and not dry_run:
        if not sys.stdin.isatty() or as_json:
            raise UsageError("deleting a rule can't be undone; say --yes. `imagewatch rules disable` only disables it.")
        if not session.terminal.confirm("Delete it?"):
            session.terminal.print("Nothing was deleted.")
            return 1
    return session.carry_out([Change(before.rule_id, None, before)])
