"""`imagewatch rules add`, `edit`, `enable`, `disable`, `snooze` and `delete`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.text import Text

from imagewatch.timestamps import iso_utc
from uploader.alerts.alert_store import AlertStore
from uploader.arguments import connection_options
from uploader.errors import CommandError, UsageError
from uploader.rules.changes import Change, change
from uploader.rules.editor import Draft
from uploader.rules.files import STDIN, document, is_file, read_files, read_one, read_source
from uploader.rules.flags import changed_by, has_flags, rule_from
from uploader.rules.rule_store import Stored
from uploader.rules.session import RuleSession
from uploader.rules.yaml_document import dump
from uploader.terminal import printable
from uploader.times import minute, now

_HEAD = """\
# The rule {rule_id}, version {version}. Save it and close the editor: it is checked, then written. As it was: nothing changes.
# Fields and their meaning: docs/watchlist.md
"""
_CHANGE = "Change it"


def add(args: argparse.Namespace) -> int:
    if has_flags(args):
        wanted = [rule_from(args)]
    elif args.id is not None:
        raise UsageError("--id goes with a name and flags such as --any Person:90; a file says RuleId.")
    elif not is_file(args.rule) or (" " in args.rule and not Path(args.rule).exists()):
        raise UsageError(f"there is no file {args.rule!r}. To add a rule of this name, say what to look for: --any Person:90.")
    else:
        wanted = [one.rule for one in read_files([args.rule])]
    session = RuleSession(args)
    there = session.rules.all() if len(wanted) > 1 else {one.rule_id: session.rules.find(one.rule_id) for one in wanted}
    known = [rule.rule_id for rule in wanted if there.get(rule.rule_id)]
    if known:
        raise CommandError(
            f"there is a rule {known[0]} already: `imagewatch rules edit {known[0]}` changes it,"
            " `imagewatch rules import` makes rules as a file has them."
        )
    said = session.advise(wanted, ask="" if args.rule == STDIN else f"Add {'it' if len(wanted) == 1 else 'them'}")
    code = session.carry_out([change(rule, None) for rule in wanted], said)
    if not args.dry_run:
        trial = f"imagewatch rules preview {wanted[0].rule_id}{connection_options(args)}"
        session.terminal.print(f"What it would have done in the last 30 days: {trial}")
    return code


def edit(args: argparse.Namespace) -> int:
    by_flags = has_flags(args) or args.name is not None or bool(args.min_confidence)
    if by_flags and args.file:
        raise UsageError("--file says all of the rule; give it, or flags, and not both.")
    session = RuleSession(args)
    before = session.rules.get(args.rule)
    if by_flags:
        return session.replace(changed_by(args, before.valid()), before, ask=_CHANGE)
    if args.file:
        ask = "" if args.file == STDIN else _CHANGE
        return session.replace(read_one(*read_source(args.file), args.rule).rule, before, ask=ask)
    return _in_editor(session, before)


def _in_editor(session: RuleSession, before: Stored) -> int:
    record = before.rule.to_record() if before.rule else dict(before.record)
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
    if session.args.dry_run:
        session.terminal.print(draft.kept)
    else:
        draft.discard()
    return code


def enable(args: argparse.Namespace) -> int:
    session = RuleSession(args)
    before = session.rules.get(args.rule)
    return session.replace(replace(before.valid(), enabled=True), before)


def disable(args: argparse.Namespace) -> int:
    session = RuleSession(args)
    before = session.rules.get(args.rule)
    return session.replace(replace(before.valid(), enabled=False), before)


def snooze(args: argparse.Namespace) -> int:
    until = iso_utc(now() + timedelta(seconds=args.length)) if args.length else args.until or ""
    if args.length == 0 or (until and until <= iso_utc(now())):
        raise UsageError("that moment is past; a snooze ends in the future. --off ends one now.")
    session = RuleSession(args)
    before = session.rules.get(args.rule)
    code = session.replace(replace(before.valid(), snoozed_until=until), before)
    session.terminal.print(
        f"It alerts nobody until {minute(until)}; what it matches is still recorded." if until else "It alerts again."
    )
    return code


def delete(args: argparse.Namespace) -> int:
    session = RuleSession(args)
    before = session.rules.get(args.rule)
    alerts = AlertStore(session.aws, args.stack).count_of_rule(args.rule)
    had = f"It has had {alerts:,} {'alert' if alerts == 1 else 'alerts'}; they are kept."
    session.terminal.print(f"{printable(str(before.record.get('Name', '')))} ({before.rule_id}, version {before.version}). {had}")
    if not args.yes and not args.dry_run:
        if not sys.stdin.isatty() or args.json:
            raise UsageError("deleting a rule can't be undone; say --yes. `imagewatch rules disable` only silences it.")
        if not session.terminal.confirm("Delete it?"):
            session.terminal.print("Nothing was deleted.")
            return 1
    return session.carry_out([Change(before.rule_id, None, before)])
