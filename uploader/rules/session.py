"""What the commands that write rules share: advice before a change, the change itself, and the report of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from imagewatch.rules.model import Rule
from uploader.aws.session import Deployment
from uploader.errors import CommandError
from uploader.rules.advice import advice
from uploader.rules.changes import CHANGED, DELETED, NEW, Change, change, change_document
from uploader.rules.render import change_lines, counts
from uploader.rules.rule_store import LostRaceError, Rules, Stored
from uploader.terminal import Terminal, printable


@dataclass(frozen=True)
class WriteOptions:
    """The options of a command that writes rules."""

    as_json: bool = False
    dry_run: bool = False
    yes: bool = False
    """Whether to ask no questions."""


class RuleSession:
    """The watchlist of a deployment, and the terminal, for one command that writes rules."""

    def __init__(self, deployment: Deployment, options: WriteOptions) -> None:
        self.deployment, self.options = deployment, options
        self.terminal = Terminal(quiet=options.as_json)
        self.aws = deployment.aws()
        self.rules = Rules(self.aws, deployment.stack)

    def advise(self, rules: Sequence[Rule], *, ask: str = "") -> list[str]:
        """Prints what may be a mistake in valid rules. With `ask` ("Add it"), a user at a terminal is asked to go on in doubt.

        Raises CommandError when the answer is no.
        """
        found = list(advice(self.aws, self.deployment.stack, rules))
        for one in found:
            self.terminal.note(Text(printable(one.text), style="yellow"))
        silent = self.options.yes or self.options.dry_run or self.options.as_json
        asked = ask and not silent and any(one.doubt for one in found) and sys.stdin.isatty()
        if asked and not self.terminal.confirm(f"{ask} all the same?"):
            raise CommandError("nothing was written.")
        return [one.text for one in found]

    def carry_out(self, changes: Sequence[Change], said: Sequence[str] = ()) -> int:
        """Writes the changes one by one, unless it is a dry run, and reports them. Returns the exit code.

        Raises CommandError for rules that another user changed meanwhile, after all others are written.
        """
        done: list[Change] = []
        lost: list[str] = []
        for one in changes:
            try:
                if not self.options.dry_run:
                    self._write(one)
                done.append(one)
            except LostRaceError as error:
                lost.append(str(error))
        if self.options.as_json:
            self.terminal.print_json(
                {
                    "dry_run": self.options.dry_run,
                    "rules": [change_document(one) for one in done],
                    "advice": list(said),
                    "lost": lost,
                }
            )
        did = "Nothing was written (--dry-run)" if self.options.dry_run else "Done"
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
        """Writes the rule in place of the one that was read; `ask` as for `advise`."""
        one = change(rule, before)
        said = self.advise([rule], ask=ask) if one.kind == CHANGED else []
        return self.carry_out([one], said)
