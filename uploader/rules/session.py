"""What the commands that write rules share: what they would change, words about it, and the writing itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.text import Text

from imagewatch.rules.model import Rule
from uploader.arguments import connection
from uploader.aws.session import Aws
from uploader.errors import CommandError
from uploader.rules.advice import advice
from uploader.rules.changes import CHANGED, DELETED, NEW, Change, change, change_document
from uploader.rules.render import change_lines, counts
from uploader.rules.rule_store import LostRaceError, Rules, Stored
from uploader.terminal import Terminal, printable


class RuleSession:
    """What each of these actions needs: the rules, and somewhere to speak."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.terminal = Terminal(quiet=args.json)
        self.aws = Aws(connection(args, pool_size=4))
        self.rules = Rules(self.aws, args.stack)

    def advise(self, rules: Sequence[Rule], *, ask: str = "") -> list[str]:
        """Says what may not be meant so. With `ask` ("Add it"), whoever is at a terminal is asked whether to go on in doubt.

        Raises CommandError when they don't want to.
        """
        found = list(advice(self.aws, self.args.stack, rules))
        for one in found:
            self.terminal.note(Text(printable(one.text), style="yellow"))
        asked = ask and any(one.doubt for one in found) and not (self.args.yes or self.args.dry_run or self.args.json)
        if asked and sys.stdin.isatty() and not self.terminal.confirm(f"{ask} all the same?"):
            raise CommandError("nothing was written.")
        return [one.text for one in found]

    def carry_out(self, changes: Sequence[Change], said: Sequence[str] = ()) -> int:
        """Writes the changes one by one, unless it is a dry run, and says what has been done.

        Raises CommandError, when all the others are written, for those that somebody else has changed meanwhile.
        """
        done: list[Change] = []
        lost: list[str] = []
        for one in changes:
            try:
                if not self.args.dry_run:
                    self._write(one)
                done.append(one)
            except LostRaceError as error:
                lost.append(str(error))
        if self.args.json:
            self.terminal.print_json(
                {
                    "dry_run": self.args.dry_run,
                    "rules": [change_document(one) for one in done],
                    "advice": list(said),
                    "lost": lost,
                }
            )
        did = "Nothing was written (--dry-run)" if self.args.dry_run else "Done"
        if done or not lost:
            self.terminal.print(*change_lines(done), f"{did}: {counts(done)}.")
        if lost:
            raise CommandError.of_several(lost, f"{len(lost)} rules were not written.")
        return 0

    def _write(self, one: Change) -> None:
        if one.kind == NEW and one.rule:
            self.rules.create(one.rule)
        elif one.kind == CHANGED and one.rule and one.before:
            self.rules.change(one.rule, one.before)
        elif one.kind == DELETED and one.before:
            self.rules.delete(one.before)

    def replace(self, rule: Rule, before: Stored, *, ask: str = "") -> int:
        """Writes the rule in place of what was read; `ask` as for `advise`."""
        one = change(rule, before)
        said = self.advise([rule], ask=ask) if one.kind == CHANGED else []
        return self.carry_out([one], said)
