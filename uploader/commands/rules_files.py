"""`imagewatch rules import` and `export`: the watchlist as files."""

from __future__ import annotations

import sys

import click

from uploader.aws.session import Deployment
from uploader.commands.options import deployment_options, dry_run_option, json_option
from uploader.errors import CommandError, UsageError
from uploader.help import Command, argument, option
from uploader.rules.changes import DELETED, UNCHANGED, plan
from uploader.rules.files import document, read_files, to_yaml
from uploader.rules.rule_store import Rules
from uploader.rules.session import RuleSession, WriteOptions
from uploader.terminal import Terminal


@click.command("import", cls=Command)
@argument("files", nargs=-1, required=True, metavar="FILE...", help="YAML or JSON with one rule or a list of rules (- is stdin).")
@option("--prune", is_flag=True, help="Delete the rules that are in none of the files. It needs --yes.")
@option("--yes", is_flag=True, help="Confirm the deletions of --prune.")
@dry_run_option
@json_option
@deployment_options
def import_(*, files: tuple[str, ...], prune: bool, yes: bool, dry_run: bool, as_json: bool, deployment: Deployment) -> int:
    """Add and change rules so that they are as in the files.

    Rules that are in no file stay, unless --prune is given.

    \b
    Examples:
      imagewatch rules import rules.yaml --dry-run
      imagewatch rules import rules/*.yaml --prune --yes
    """
    written = read_files(files)
    if not written and not prune:
        raise UsageError("the files hold no rules. --prune would delete all existing rules.")
    session = RuleSession(deployment, WriteOptions(as_json, dry_run, yes))
    changes = plan(written, session.rules.all(), prune=prune)
    gone = [one.rule_id for one in changes if one.kind == DELETED]
    if gone and not yes and not dry_run:
        names = f"{', '.join(gone[:5])}{' ...' if len(gone) > 5 else ''}"
        raise UsageError(f"--prune would delete {len(gone)} rules ({names}). --dry-run shows all changes; --yes makes them.")
    said = session.advise([one.rule for one in changes if one.rule and one.kind != UNCHANGED])
    return session.carry_out(changes, said)


@click.command(cls=Command)
@argument("rules", nargs=-1, metavar="[RULE...]", help="The ids of rules. All rules if not given.")
@json_option
@deployment_options
def export(*, rules: tuple[str, ...], as_json: bool, deployment: Deployment) -> int:
    """Print rules as YAML that `import` accepts unchanged."""
    watchlist = Rules(deployment.aws(), deployment.stack)
    found = [watchlist.get(rule_id) for rule_id in rules] if rules else list(watchlist.all().values())
    damaged = [stored.problem for stored in found if stored.rule is None]
    valid = [stored.rule for stored in found if stored.rule]
    if as_json:
        Terminal(quiet=True).print_json({"rules": [document(rule.to_item()) for rule in valid]})
    else:
        sys.stdout.write(to_yaml(valid) or "[]\n")
    if damaged:
        raise CommandError.of_several(damaged, f"{len(damaged)} rules were left out, because they can't be read.")
    return 0
