"""`imagewatch alerts`: what was alerted, whether it reached people, whether it was right; and tests of every channel."""

from __future__ import annotations

import argparse

from rich.text import Text

from uploader.actions import add_action
from uploader.alerts.alert_store import AlertStore, confirm
from uploader.alerts.render import alert_lines, alerts_table, plain_alert, precision_lines, precision_numbers
from uploader.arguments import connection, connection_options, number_between
from uploader.aws.session import Aws
from uploader.channels.channel_store import EMAIL, ChannelStore
from uploader.errors import CommandError, UsageError
from uploader.rules.precision import judged, measure
from uploader.terminal import Terminal, printable
from uploader.times import since

SUMMARY = "Look at alerts, mark wrong ones, and test the channels."
DESCRIPTION = """\
Every alert is kept with the rule as it was when it matched. Mark those that were wrong: `precision` then says how often a
rule is right, and which threshold would have kept the right ones."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = add_action(actions, "list", _list, "Show the newest alerts and how they stand.")
    show.add_argument("--rule", metavar="RULE", help="Only this rule's alerts (much faster).")
    show.add_argument(
        "--since", type=since, default="7d", metavar="AGE", help="How far back: 90m, 12h, 7d. It is 7d if not given."
    )
    show.add_argument("--limit", type=number_between(1, 10_000), default=50, metavar="N", help="The most alerts to show: 50.")
    explain = add_action(actions, "show", _show, "Show one alert in full, with the rule as it was when it matched.")
    explain.add_argument("alert", metavar="ALERT_ID", help="The alert's id, as `imagewatch alerts list` and its mail show it.")
    test = add_action(actions, "test", _test, "Send a test through each channel, and show what became of it.")
    test.add_argument("--channel", action="append", metavar="ID", help="Only through this channel; can be given several times.")
    agree = add_action(actions, "confirm", _confirm, _CONFIRM, as_json=False)
    agree.add_argument("link", metavar="TOKEN-OR-URL", help='The address of "Confirm subscription" in SNS\'s mail, in quotes.')
    agree.add_argument("--topic", choices=("alerts", "operations"), default="alerts", help="Which topic a token alone is for.")
    wrong = add_action(
        actions, "not-this", _not_this, "Mark an alert as wrong: the rule should not have matched this image.", as_json=False
    )
    wrong.add_argument("alert", metavar="ALERT_ID", help="The alert's id, as `imagewatch alerts list` shows it.")
    wrong.add_argument("--note", metavar="TEXT", help="What it was instead.")
    wrong.add_argument("--undo", action="store_true", help="Take the mark back.")
    right = add_action(actions, "precision", _precision, "Say how often a rule is right, and propose a threshold.")
    right.add_argument("rule", metavar="RULE", help="The rule's id.")
    right.add_argument("--since", type=since, default="90d", metavar="AGE", help="How far back. It is 90d if not given.")


_CONFIRM = (
    'Confirm an e-mail subscription so that it can\'t be ended by a click: the link "unsubscribe" in each mail otherwise works '
    "for everybody, and mail scanners that open links use it."
)


def _aws(args: argparse.Namespace) -> Aws:
    return Aws(connection(args, pool_size=4))


# ------------------------------------------------------------------------------------------------------------------- list


def _list(args: argparse.Namespace) -> int:
    alerts = AlertStore(_aws(args), args.stack)
    found = alerts.of_rule(args.rule, args.since, args.limit) if args.rule else alerts.newest(args.since, args.limit)
    if args.rule and not found:
        _must_have_been(alerts, args.rule)
    terminal = Terminal(quiet=args.json)
    if args.json:
        terminal.print_json({"alerts": [plain_alert(alert) for alert in found]})
    elif found:
        terminal.print(alerts_table(found))
    else:
        terminal.print(f"No alerts since {args.since[:16].replace('T', ' ')} UTC.")
    return 0


def _show(args: argparse.Namespace) -> int:
    alert = AlertStore(_aws(args), args.stack).one(args.alert)
    terminal = Terminal(quiet=args.json)
    if args.json:
        terminal.print_json(alert)
    else:
        terminal.print(*alert_lines(alert))
    return 0


# ------------------------------------------------------------------------------------------------------------------- test


def _test(args: argparse.Namespace) -> int:
    aws = _aws(args)
    channels = args.channel or [
        record["ChannelId"] for record in ChannelStore(aws, args.stack).all() if record.get("Enabled") is not False
    ]
    outcomes = AlertStore(aws, args.stack).test(channels)
    terminal = Terminal(quiet=args.json)
    if args.json:
        terminal.print_json({"channels": outcomes})
    for outcome in outcomes:
        name = printable(str(outcome["ChannelId"]))
        if outcome["Outcome"] == "SENT":
            told = "SNS has taken it; who is subscribed shows `imagewatch channels list`" if name == EMAIL else outcome["Id"]
            terminal.print(Text.assemble(("sent", "bold green"), f"    {name}: {printable(str(told))}"))
        else:
            terminal.print(Text.assemble(("failed", "bold red"), f"  {name}: {printable(str(outcome['Reason']))}"))
    return 0 if all(outcome["Outcome"] == "SENT" for outcome in outcomes) else 1


def _confirm(args: argparse.Namespace) -> int:
    topic, _ = confirm(_aws(args), args.stack, args.link, args.topic)
    said = f"Confirmed for {topic.rpartition(':')[2]}. To end this subscription now takes AWS credentials; links in mails don't."
    Terminal(quiet=False).print(said)
    return 0


def _not_this(args: argparse.Namespace) -> int:
    if args.undo and args.note:
        raise UsageError("--note says why an alert is wrong; it doesn't go with --undo.")
    alerts = AlertStore(_aws(args), args.stack)
    alert = alerts.unmark(args.alert) if args.undo else alerts.mark(args.alert, args.note)
    did = "No longer marked" if args.undo else "Marked as wrong"
    rule = printable(str(alert.get("RuleId", "")))
    see = f"imagewatch alerts precision {rule}{connection_options(args)}"
    Terminal(quiet=False).print(f"{did}: {printable(str(alert.get('Subject', args.alert)))}", f"See: {see}")
    return 0


def _must_have_been(alerts: AlertStore, rule_id: str) -> None:
    """A deleted rule's alerts are kept, so that only what has neither a record nor any alert was never a rule."""
    if not rule_id or (alerts.rule(rule_id) is None and not alerts.count_of_rule(rule_id)):
        raise CommandError(f"there is no rule {rule_id}, and no alert of one. `imagewatch rules list` shows the rules.")


# --------------------------------------------------------------------------------------------------------------- precision


def _precision(args: argparse.Namespace) -> int:
    alerts = AlertStore(_aws(args), args.stack)
    rule = alerts.rule(args.rule)
    seen = judged(alerts.of_rule(args.rule, args.since))
    if rule is None and not seen:
        _must_have_been(alerts, args.rule)
    found = measure(seen, rule)
    terminal = Terminal(quiet=args.json)
    if args.json:
        terminal.print_json({"rule": args.rule, "since": args.since, **precision_numbers(found)})
    else:
        terminal.print(*precision_lines(args.rule, found))
    return 0
