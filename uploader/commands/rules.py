"""`imagewatch rules`: the watchlist, from a first try on past images to alerts; what it reads and how it is called."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from uploader.actions import add_action
from uploader.alerts.alert_store import AlertStore
from uploader.alerts.render import precision_lines, precision_numbers
from uploader.arguments import connection, connection_options, number_between
from uploader.aws.session import Aws
from uploader.commands import rules_files, rules_history, rules_writing
from uploader.errors import CommandError
from uploader.rules.flags import add_flags
from uploader.rules.precision import judged, measure
from uploader.rules.render import rule_lines, rules_table, state_of
from uploader.rules.rule_store import Rules, Stored
from uploader.terminal import Terminal
from uploader.times import duration, moment, now, since

SUMMARY = "Say what to watch for: write rules, try them on past images, apply them to those."
DESCRIPTION = """\
A rule says what people want to be told about. Rules are written by flags or in YAML (docs/rules.md), checked before they
are stored, and never overwrite what somebody else has changed meanwhile. `preview` shows what a rule would have done, from
what was found in past images; `apply` records its matches on those, and alerts only if told to."""

_ALERTS_COUNTED = 500
_DONT_ASK = "Don't ask whether a name that nothing known has is meant so."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_action(actions, "list", _list, "Show the rules and how they stand.")
    show = add_action(actions, "show", _show, "Show one rule, and how its alerts have fared.")
    show.add_argument("rule", metavar="RULE", help="The rule's id.")
    _writing(actions)
    _in_files(actions)
    _over_history(actions)


def _writing(actions: Any) -> None:
    add = add_action(actions, "add", rules_writing.add, "Add a rule: from a file, or by a name and flags.", dry_run=True)
    add.add_argument("rule", metavar="NAME-OR-FILE", help="What to call the rule; or a YAML file (- is stdin), without flags.")
    add.add_argument("--id", metavar="ID", help="The rule's id: a-z, 0-9 and -. It is made of the name if not given.")
    add_flags(add, changes=False)
    add.add_argument("--yes", action="store_true", help=_DONT_ASK)
    edit = add_action(actions, "edit", rules_writing.edit, "Change a rule: in $EDITOR, from a file, or by flags.", dry_run=True)
    edit.add_argument("--file", metavar="FILE", help="A YAML file that takes the rule's place (- is stdin).")
    add_flags(edit, changes=True)
    edit.add_argument("--yes", action="store_true", help=_DONT_ASK)
    enable = add_action(actions, "enable", rules_writing.enable, "Let a rule match again.", dry_run=True)
    disable = add_action(actions, "disable", rules_writing.disable, "Let a rule match nothing until it is enabled.", dry_run=True)
    snooze = add_action(
        actions, "snooze", rules_writing.snooze, "Let a rule alert nobody for a while; it goes on matching.", dry_run=True
    )
    times = snooze.add_mutually_exclusive_group(required=True)
    times.add_argument("--for", dest="length", type=duration, metavar="TIME", help="So long from now: 30m, 2h, 7d.")
    times.add_argument(
        "--until", type=moment, metavar="MOMENT", help="Until then, such as 2027-01-31T08:00 (this machine's clock)."
    )
    times.add_argument("--off", action="store_true", help="Let it alert again.")
    delete = add_action(actions, "delete", rules_writing.delete, "Delete a rule; its alerts are kept.", dry_run=True)
    delete.add_argument("--yes", action="store_true", help="Don't ask.")
    for one in (edit, enable, disable, snooze, delete):
        one.add_argument("rule", metavar="RULE", help="The rule's id.")


def _in_files(actions: Any) -> None:
    take = add_action(actions, "import", rules_files.import_, "Make the rules as files have them: add and change.", dry_run=True)
    take.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON with one rule or a list of them (- is stdin).")
    take.add_argument("--prune", action="store_true", help="Delete the rules that are in none of the files; needs --yes.")
    take.add_argument("--yes", action="store_true", help="Let --prune delete.")
    give = add_action(actions, "export", rules_files.export, "Print the rules as YAML that `import` takes back unchanged.")
    give.add_argument("rules", nargs="*", metavar="RULE", help="The ids of rules. All of them if not given.")


def _over_history(actions: Any) -> None:
    says = "Show what a rule would have done: what it would have matched and sent. It need not be on the watchlist."
    before = add_action(actions, "preview", rules_history.preview, says)
    before.add_argument("rule", metavar="RULE-OR-FILE", help="The rule's id, or a YAML file with one or several rules.")
    before.add_argument(
        "--examples", type=number_between(0, 1_000_000), metavar="N", help="How many matches to show: 5, with --json all of them."
    )
    says = "Hold a rule against past images: record its matches on them, and alert only with --alert. Rekognition isn't called."
    over = add_action(actions, "apply", rules_history.apply, says, dry_run=True)
    over.add_argument("rule", nargs="?", metavar="RULE", help="The rule's id.")
    over.add_argument("--alert", action="store_true", help="Send alerts for matches that had none; asks first.")
    over.add_argument("--yes", action="store_true", help="Don't ask.")
    over.add_argument("--detach", action="store_true", help="Start, and don't wait for the end.")
    runs = over.add_mutually_exclusive_group()
    runs.add_argument("--follow", metavar="ARN", help="Follow a run that was started before.")
    runs.add_argument("--stop", metavar="ARN", help="Stop a run; what it has recorded stays.")
    runs.add_argument("--resume", metavar="ARN", help="Go on with a run that failed or was stopped, from where it was.")
    for one in (before, over):
        one.add_argument(
            "--since", type=since, default="30d", metavar="WHEN", help="An age (90m, 12h, 30d) or a date. 30d if not given."
        )
        one.add_argument("--until", type=since, metavar="WHEN", help="An age or a date. Now if not given.")


def _list(args: argparse.Namespace) -> int:
    found = Rules(Aws(connection(args, pool_size=4)), args.stack).all()
    terminal, moment = Terminal(quiet=args.json), now()
    if args.json:
        terminal.print_json({"rules": [{**_plain(stored), "State": state_of(stored, moment)} for stored in found.values()]})
    elif found:
        terminal.print(rules_table(found.values(), moment))
    else:
        terminal.print(
            f'There are no rules yet. A first one: imagewatch rules add "Person seen" --any Person:90{connection_options(args)}'
        )
    return 0


def _show(args: argparse.Namespace) -> int:
    aws = Aws(connection(args, pool_size=4))
    stored = Rules(aws, args.stack).get(args.rule)
    terminal = Terminal(quiet=args.json)
    try:
        alerts, unknown = AlertStore(aws, args.stack).of_rule(args.rule, since("30d"), _ALERTS_COUNTED), ""
    except CommandError as error:  # who may read rules need not be allowed to read alerts
        alerts, unknown = [], str(error)
    if args.json:
        numbers = {"counted": len(alerts), **_by_status(alerts), **precision_numbers(measure(judged(alerts), stored.record))}
        terminal.print_json({"rule": _plain(stored), "State": state_of(stored, now()), "alerts": None if unknown else numbers})
        return 0
    stored.valid()
    terminal.print(*rule_lines(stored, now()))
    terminal.print(*([Text(f"Its alerts can't be read: {unknown}", style="yellow")] if unknown else _alert_lines(stored, alerts)))
    return 0


def _alert_lines(stored: Stored, alerts: Sequence[Mapping[str, Any]]) -> list[Text]:
    if not alerts:
        return [Text("No alerts in the last 30 days.")]
    which = f"The newest {len(alerts)} alerts" if len(alerts) == _ALERTS_COUNTED else f"{len(alerts)} alerts in the last 30 days"
    counts = ", ".join(f"{count} {status}" for status, count in _by_status(alerts).items())
    return [Text(f"{which}: {counts}."), *precision_lines(stored.rule_id, measure(judged(alerts), stored.record))]


def _by_status(alerts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    statuses = [str(alert.get("Status", "")).lower() for alert in alerts]
    return {status: statuses.count(status) for status in dict.fromkeys(statuses)}


def _plain(stored: Stored) -> dict[str, Any]:
    """For scripts: the record with its defaults, or as it is, with what is wrong with it."""
    return stored.rule.to_record() if stored.rule else {**stored.record, "Problem": stored.problem}
