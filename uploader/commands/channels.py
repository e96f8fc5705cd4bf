"""`imagewatch channels`: where alerts go, and the state of each channel."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from imagewatch.alerts.channel import EMAIL
from uploader.aws.session import Deployment
from uploader.channels.channel_store import KINDS, MIN_SECRET, ChannelStore, refuse_id, refuse_url
from uploader.channels.render import ChannelState, channel_table, subscription_advice, subscription_table
from uploader.channels.subscriptions import subscribe, subscriptions, unsubscribe
from uploader.commands.options import deployment_options, json_option
from uploader.errors import CommandError, UsageError
from uploader.help import Group, argument, option
from uploader.terminal import Terminal, printable

_channel = argument("channel", metavar="ID", help="The channel's id.")


@click.group(cls=Group)
def channels() -> None:
    """Manage channels: e-mail, Slack and webhooks.

    Alerts go out through channels. Each rule names its channels. The channel "email" always exists: it reaches every address that
    is subscribed to the alerts topic. Secrets (Slack's address, a webhook's key) are stored encrypted in the SSM Parameter
    Store and are never shown.

    \b
    Examples:
      imagewatch channels list
      imagewatch channels add ops --kind slack
      openssl rand -hex 32 | imagewatch channels add home --kind webhook --url https://home.example.com/alerts
    """


@channels.command("list")
@json_option
@deployment_options
def list_(*, as_json: bool, deployment: Deployment) -> int:
    """Show the channels, their states, and the subscribers of e-mails."""
    aws = deployment.aws()
    store = ChannelStore(aws, deployment.stack)
    found, rules, subscribed = store.all(), store.rules(), subscriptions(aws, deployment.stack)
    shown = [ChannelState.of(channel, rules.get(channel.channel_id, []), subscribed) for channel in found]
    terminal = Terminal(quiet=as_json)
    if as_json:
        documents = {"channels": [asdict(channel) for channel in shown], "subscriptions": [asdict(entry) for entry in subscribed]}
        terminal.print_json(documents)
        return 0
    terminal.print(channel_table(shown))
    if subscribed:
        terminal.print("", subscription_table(subscribed))
    terminal.print(*subscription_advice(subscribed))
    return 0


@channels.command()
@argument("channel", metavar="ID", help="The id by which rules name the channel: a-z, 0-9 and -; or email.")
@argument("address", metavar="[ADDRESS]", required=False, help="With email: the address to subscribe to the alerts.")
@option(
    "--kind", type=click.Choice(KINDS),
    help="slack is a Slack incoming webhook; webhook is any HTTPS address.",
)  # fmt: skip
@option("--url", metavar="URL", help="The address of a webhook. Slack's address is a secret, so the command asks for it.")
@option("--name", metavar="TEXT", help="A name for people. The id if not given.")
@deployment_options
def add(*, channel: str, address: str | None, kind: str | None, url: str | None, name: str | None, deployment: Deployment) -> int:
    """Add a channel, or replace its address and secret; or add an address to the channel email.

    The secret is read from a prompt or from stdin: Slack's address, or the key that signs a webhook's messages. E-mail has no
    secret: SNS asks each address to confirm.

    \b
    Examples:
      imagewatch channels add ops --kind slack
      openssl rand -hex 32 | imagewatch channels add home --kind webhook --url https://home.example.com/alerts
      imagewatch channels add email ann@example.com
    """
    if channel == EMAIL and address and not (kind or url or name):
        return _subscribe(address, deployment)
    refuse_id(channel)
    if address:
        raise UsageError("only the channel email takes an address as an argument. A webhook's is given with --url.")
    if kind is None:
        raise UsageError("the kind of the channel is needed: --kind slack or --kind webhook.")
    if kind == "webhook" and not url:
        raise UsageError("a webhook needs its address: --url.")
    if kind == "slack" and url:
        raise UsageError("Slack's address is asked for, not given by --url.")
    if url:
        refuse_url(url, "--url")
    is_new = ChannelStore(deployment.aws(), deployment.stack).add(channel, kind, url, name, _secret(kind))
    did = "Added" if is_new else "Replaced"
    trial = f"imagewatch alerts test --channel {channel}{deployment.options}"
    Terminal(quiet=False).print(f"{did} the channel {channel}. To test it: {trial}")
    return 0


def _subscribe(address: str, deployment: Deployment) -> int:
    is_asked = subscribe(deployment.aws(), deployment.stack, address)
    if is_asked:
        command = f"imagewatch alerts confirm LINK{deployment.options}"
        text = f"SNS asks {address} to confirm. Copy the link in its e-mail, and run: {command}"
    else:
        text = f"{address} is subscribed and confirmed already."
    Terminal(quiet=False).print(printable(text))
    return 0


def _secret(kind: str) -> str:
    """Reads the secret from a hidden prompt or the first line of stdin; other users could see it on the command line."""
    asked = "Slack's webhook address" if kind == "slack" else "The key that signs messages"
    if sys.stdin.isatty():
        secret = str(click.prompt(asked, hide_input=True, err=True, default="", show_default=False))
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise UsageError("a secret is needed, and none was given: type it at the prompt, or pipe it in as one line.")
    if kind == "slack":
        refuse_url(secret, "what was given as Slack's address")
    elif len(secret) < MIN_SECRET:
        raise UsageError(f"the key must have at least {MIN_SECRET} characters. `openssl rand -hex 32` makes a good one.")
    return secret


@channels.command()
@_channel
@deployment_options
def enable(*, channel: str, deployment: Deployment) -> int:
    """Use a channel again, even if it was disabled because its address was gone."""
    return _switch(channel, deployment, on=True)


@channels.command()
@_channel
@deployment_options
def disable(*, channel: str, deployment: Deployment) -> int:
    """Send nothing through a channel until it is enabled."""
    return _switch(channel, deployment, on=False)


def _switch(channel: str, deployment: Deployment, *, on: bool) -> int:
    ChannelStore(deployment.aws(), deployment.stack).switch(channel, on=on)
    Terminal(quiet=False).print(f"The channel {channel} is {'enabled' if on else 'disabled'}.")
    return 0


@channels.command()
@_channel
@argument("address", metavar="[ADDRESS]", required=False, help="With email: the address to unsubscribe.")
@option("--force", is_flag=True, help="Remove it even if rules use it.")
@deployment_options
def remove(*, channel: str, address: str | None, force: bool, deployment: Deployment) -> int:
    """Remove a channel and its secret, or an address from the channel email."""
    if channel == EMAIL and address:
        unsubscribe(deployment.aws(), deployment.stack, address)
        Terminal(quiet=False).print(printable(f"{address} gets no more alerts."))
        return 0
    if address:
        raise UsageError("only the channel email has addresses to remove.")
    if channel == EMAIL:
        raise UsageError("email can't be removed; `imagewatch channels disable email` disables it.")
    store = ChannelStore(deployment.aws(), deployment.stack)
    rules = store.rules().get(channel, [])
    if rules and not force:
        raise CommandError(f"{len(rules)} rules use it ({', '.join(rules[:5])}): change them first, or use --force.")
    store.remove(channel)
    Terminal(quiet=False).print(f"Removed the channel {channel} and its secret.")
    return 0
