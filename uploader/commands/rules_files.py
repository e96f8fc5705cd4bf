"""`imagewatch rules import` and `export`: the watchlist as files, to be kept and compared like any other."""

from __future__ import annotations

import argparse
import sys

from uploader.arguments import connection
from uploader.aws.session import Aws
from uploader.errors import CommandError, UsageError
from uploader.rules.changes import DELETED, UNCHANGED, plan
from uploader.rules.files import document, read_files, to_yaml
from uploader.rules.rule_store import Rules
from uploader.rules.session import RuleSession
from uploader.terminal import Terminal


def import_(args: argparse.Namespace) -> int:
    written = read_files(args.files)
    if not written and not args.prune:
        raise UsageError("the files hold no rules. --prune would delete all that there are.")
    session = RuleSession(args)
    changes = plan(written, session.rules.all(), prune=args.prune)
    gone = [one.rule_id for one in changes if one.kind == DELETED]
    if gone and not args.yes and not args.dry_run:
        names = f"{', '.join(gone[:5])}{' ...' if len(gone) > 5 else ''}"
        raise UsageError(f"--prune would delete {len(gone)} rules ({names}). See all of it with --dry-run, or say --yes.")
    said = session.advise([one.rule for one in changes if one.rule and one.kind != UNCHANGED])
    return session.carry_out(changes, said)


def export(args: argparse.Namespace) -> int:
    watchlist = Rules(Aws(connection(args, pool_size=4)), args.stack)
    found = [watchlist.get(rule_id) for rule_id in args.rules] if args.rules else list(watchlist.all().values())
    damaged = [stored.problem for stored in found if stored.rule is None]
    rules = [stored.rule for stored in found if stored.rule]
    if args.json:
        Terminal(quiet=True).print_json({"rules": [document(rule.to_record()) for rule in rules]})
    else:
        sys.stdout.write(to_yaml(rules) or "[]\n")
    if damaged:
        raise CommandError.of_several(damaged, f"{len(damaged)} rules were left out, because they can't be read.")
    return 0
