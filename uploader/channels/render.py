"""Renders channels and subscriptions for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich import box
from rich.table import Table
from rich.text import Text

from imagewatch.alerts.channel import EMAIL, ChannelRecord
from uploader.channels.subscriptions import CONFIRMED, UNCONFIRMED, Subscription
from uploader.terminal import printable

_STYLES = {"ok": "green", "unchecked": "yellow", "off": "dim", "unconfirmed": "yellow", "failing": "red", "disabled": "red"}
_UNSUBSCRIBING = {True: "takes AWS credentials", False: "possible for everyone with an e-mail", None: ""}


@dataclass(frozen=True)
class ChannelState:
    """A channel and its state. The fields are those of --json."""

    id: str
    kind: str
    name: str
    state: str
    reason: str
    checked_at: str | None
    host: str | None
    """Of a webhook."""
    rules: list[str]
    """The ids of the rules that send there."""

    @classmethod
    def of(cls, channel: ChannelRecord, rules: Sequence[str], subscriptions: Sequence[Subscription]) -> ChannelState:
        """The state of e-mail is what SNS says now; the others' is from the last check or test."""
        state, reason = channel.status, channel.status_reason
        if channel.channel_id == EMAIL:
            state, reason = _email_state([entry for entry in subscriptions if entry.topic == "alerts"])
        if not channel.enabled:
            state, reason = "off", "disabled with `imagewatch channels disable`"
        host = urlsplit(channel.url).hostname
        return cls(channel.channel_id, channel.kind, channel.name, state, reason, channel.checked_at, host, list(rules))


def channel_table(shown: Sequence[ChannelState]) -> Table:
    """A row for each channel."""
    table = _table("Channel", "Kind", "State", "Reason", "Checked (UTC)", "Rules")
    for channel in shown:
        kind = f"{channel.kind} ({channel.host})" if channel.host else channel.kind
        table.add_row(
            Text(printable(channel.id)),
            Text(printable(kind)),
            Text(channel.state, style=_STYLES.get(channel.state, "")),
            Text(printable(channel.reason)),
            Text((channel.checked_at or "")[:16].replace("T", " ")),
            Text(str(len(channel.rules))),
        )
    return table


def subscription_table(subscriptions: Sequence[Subscription]) -> Table:
    """A row for each subscription."""
    table = _table("Subscriber", "Topic", "State", "Unsubscribing")
    for entry in subscriptions:
        state = Text(entry.state, style="green" if entry.state == CONFIRMED else "yellow")
        table.add_row(Text(printable(entry.endpoint)), Text(entry.topic), state, Text(_UNSUBSCRIBING[entry.protected]))
    return table


def subscription_advice(subscriptions: Sequence[Subscription]) -> list[Text]:
    """What to do about unconfirmed and unprotected subscriptions."""
    lines = []
    if any(entry.state == UNCONFIRMED for entry in subscriptions):
        lines.append("To confirm: don't open the link in the e-mail from SNS; copy it into `imagewatch alerts confirm`.")
    if any(entry.protected is False for entry in subscriptions):
        lines.append("A mail scanner that opens links can unsubscribe people. docs/channels.md says how to prevent it.")
    return [Text(""), *(Text(line, style="yellow") for line in lines)] if lines else []


def _email_state(alerts: Sequence[Subscription]) -> tuple[str, str]:
    confirmed = sum(entry.state == CONFIRMED for entry in alerts)
    if not alerts:
        return "failing", "no address is subscribed"
    return "ok" if confirmed else "unconfirmed", f"{confirmed} of {len(alerts)} addresses confirmed"


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table
