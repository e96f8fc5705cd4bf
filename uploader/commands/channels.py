"""`imagewatch channels`: where alerts go besides e-mail, and how each of these ways fares."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from rich import box
from rich.table import Table
from rich.text import Text

from imagewatch.alerts.channel_health import UNCHECKED
from uploader.actions import add_action
from uploader.arguments import connection, connection_options
from uploader.aws.session import Aws
from uploader.channels.channel_store import EMAIL, KINDS, MIN_SECRET, ChannelStore, Subscription, refuse_id, refuse_url
from uploader.errors import CommandError, UsageError
from uploader.terminal import Terminal, printable

SUMMARY = "Say where alerts go: e-mail, Slack, webhooks."
DESCRIPTION = """\
Alerts leave through channels; each rule names those it uses. "email" is always there: it reaches every address that is
subscribed to the alerts topic. Secrets (Slack's address, a webhook's key) are kept in the SSM Parameter Store, encrypted,
and never shown."""

_STYLES = {"ok": "green", "unchecked": "yellow", "off": "dim", "pending": "yellow", "failing": "red", "disabled": "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_action(actions, "list", _list, "Show the channels, how they fare, and who gets e-mails.")
    add = add_action(actions, "add", _add, "Add a channel, or replace its address and its secret.", as_json=False)
    add.add_argument("channel", metavar="ID", help="How rules name it: a-z, 0-9 and -.")
    add.add_argument("--kind", choices=KINDS, required=True, help="slack (an incoming webhook), or webhook (any HTTPS address).")
    add.add_argument("--url", metavar="URL", help="Where a webhook's messages go. Slack's address is asked for: it is a secret.")
    add.add_argument("--name", metavar="TEXT", help="What people call it. Its id if not given.")
    for name, act, says in (
        ("enable", _enable, "Use a channel again, also one that was switched off because its address was gone."),
        ("disable", _disable, "Send nothing through a channel until it is enabled."),
        ("remove", _remove, "Remove a channel and its secret."),
    ):
        one = add_action(actions, name, act, says, as_json=False)
        one.add_argument("channel", metavar="ID", help="The channel's id.")
    one.add_argument("--force", action="store_true", help="Remove it although rules send there.")


def _channels(args: argparse.Namespace) -> ChannelStore:
    return ChannelStore(Aws(connection(args, pool_size=4)), args.stack)


def _list(args: argparse.Namespace) -> int:
    channels = _channels(args)
    found, rules, subscriptions = channels.all(), channels.rules(), channels.subscriptions()
    shown = [_shown(record, rules.get(record["ChannelId"], []), subscriptions) for record in found]
    terminal = Terminal(quiet=args.json)
    if args.json:
        terminal.print_json({"channels": shown, "subscriptions": [asdict(entry) for entry in subscriptions]})
        return 0
    terminal.print(_table(shown))
    if subscriptions:
        terminal.print("", _subscription_table(subscriptions))
    terminal.print(*_advice(subscriptions))
    return 0


def _shown(record: Mapping[str, Any], rules: Sequence[str], subscriptions: Sequence[Subscription]) -> dict[str, Any]:
    """A channel for people and scripts. E-mail's state is what SNS says now; the others' is what the last check or test found."""
    state, reason = str(record.get("Status", UNCHECKED)), str(record.get("StatusReason", "Not checked yet"))
    if record["ChannelId"] == EMAIL:
        alerts = [entry for entry in subscriptions if entry.topic == "alerts"]
        confirmed = sum(entry.state == "confirmed" for entry in alerts)
        state = "ok" if confirmed else "pending" if alerts else "failing"
        reason = f"{confirmed} of {len(alerts)} addresses confirmed" if alerts else "nobody is subscribed"
    if record.get("Enabled") is False:
        state, reason = "off", "switched off with `imagewatch channels disable`"
    host = urlsplit(str(record.get("Url", ""))).hostname
    return {
        "id": record["ChannelId"],
        "kind": record["Kind"],
        "name": record.get("Name", record["ChannelId"]),
        "state": state,
        "reason": reason,
        "checked_at": record.get("CheckedAt"),
        "host": host,
        "rules": list(rules),
    }


def _table(shown: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("Channel", "Kind", "State", "Why", "Checked", "Rules"):
        table.add_column(title, overflow="fold")
    for channel in shown:
        kind = f"{channel['kind']} ({channel['host']})" if channel["host"] else channel["kind"]
        table.add_row(
            Text(printable(channel["id"])),
            Text(printable(kind)),
            Text(channel["state"], style=_STYLES.get(channel["state"], "")),
            Text(printable(channel["reason"])),
            Text(str(channel["checked_at"] or "")[:16].replace("T", " ")),
            Text(str(len(channel["rules"]))),
        )
    return table


def _subscription_table(subscriptions: Sequence[Subscription]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("Subscribed", "To", "State", "Unsubscribing"):
        table.add_column(title, overflow="fold")
    words = {True: "takes AWS credentials", False: "anybody with a mail can", None: ""}
    for entry in subscriptions:
        state = Text(entry.state, style="green" if entry.state == "confirmed" else "yellow")
        table.add_row(Text(printable(entry.endpoint)), Text(entry.topic), state, Text(words[entry.protected]))
    return table


def _advice(subscriptions: Sequence[Subscription]) -> list[Text]:
    lines = []
    if any(entry.state == "waits for confirmation" for entry in subscriptions):
        lines.append(
            Text("Confirm with the link in SNS's mail: don't open it, give it to `imagewatch alerts confirm`.", style="yellow")
        )
    if any(entry.protected is False for entry in subscriptions):
        lines.append(
            Text("A mail scanner that opens links can unsubscribe people; docs/channels.md says what helps.", style="yellow")
        )
    return [Text(""), *lines] if lines else []


def _add(args: argparse.Namespace) -> int:
    refuse_id(args.channel)
    if (args.kind == "webhook") != bool(args.url):
        raise UsageError(
            "a webhook needs its address: --url."
            if args.kind == "webhook"
            else "Slack's address is asked for, not given by --url."
        )
    if args.url:
        refuse_url(args.url, "--url")
    secret = _secret(args.kind)
    is_new = _channels(args).add(args.channel, args.kind, args.url, args.name, secret)
    did = "Added" if is_new else "Replaced"
    trial = f"imagewatch alerts test --channel {args.channel}{connection_options(args)}"
    Terminal(quiet=False).print(f"{did} the channel {args.channel}. Try it: {trial}")
    return 0


def _secret(kind: str) -> str:
    """From a prompt that shows nothing, or the first line of stdin; never from the command line, which others can see."""
    asked = "Slack's webhook address: " if kind == "slack" else "The key that messages are signed with: "
    try:
        secret = getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    except EOFError:
        secret = ""
    if not secret:
        raise UsageError("a secret is needed, and none was given: type it at the prompt, or pipe it in as one line.")
    if kind == "slack":
        refuse_url(secret, "what was given as Slack's address")
    elif len(secret) < MIN_SECRET:
        raise UsageError(f"the key must have at least {MIN_SECRET} characters. `openssl rand -hex 32` makes a good one.")
    return secret


def _enable(args: argparse.Namespace) -> int:
    return _switch(args, on=True)


def _disable(args: argparse.Namespace) -> int:
    return _switch(args, on=False)


def _switch(args: argparse.Namespace, *, on: bool) -> int:
    _channels(args).switch(args.channel, on=on)
    Terminal(quiet=False).print(f"The channel {args.channel} is {'on' if on else 'off'}.")
    return 0


def _remove(args: argparse.Namespace) -> int:
    if args.channel == EMAIL:
        raise UsageError("email can't be removed; `imagewatch channels disable email` switches it off.")
    channels = _channels(args)
    rules = channels.rules().get(args.channel, [])
    if rules and not args.force:
        raise CommandError(f"{len(rules)} rules send there ({', '.join(rules[:5])}): change them first, or use --force.")
    channels.remove(args.channel)
    Terminal(quiet=False).print(f"Removed the channel {args.channel} and its secret.")
    return 0
