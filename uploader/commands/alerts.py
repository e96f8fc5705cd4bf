"""`imagewatch alerts`: read alerts, mark wrong ones, and test the channels."""

from __future__ import annotations

import click
from rich.text import Text

from imagewatch.alerts.channel import EMAIL
from uploader.alerts.alert_store import AlertStore
from uploader.alerts.render import alert_lines, alerts_table, plain_alert, precision_lines, precision_numbers
from uploader.alerts.why import answer_document, answer_lines, find_answer
from uploader.aws.session import Deployment
from uploader.channels.channel_store import ChannelStore
from uploader.channels.subscriptions import confirm as confirm_subscription
from uploader.commands.options import AGE, deployment_options, json_option
from uploader.errors import CommandError, UsageError
from uploader.help import Group, argument, option
from uploader.rules.precision import judged, measure
from uploader.terminal import Terminal, printable
from uploader.times import minute

_alert = argument("alert", metavar="ALERT_ID", help="The alert's id, as `imagewatch alerts list` and the alert's e-mail show it.")


@click.group(cls=Group)
def alerts() -> None:
    """Read alerts, mark wrong ones, and test the channels.

    Every alert is stored with the rule as it was when it matched. Mark alerts that were wrong with `not-this`. `precision` then
    shows how often a rule is right, and which threshold would have kept its right alerts.

    \b
    Examples:
      imagewatch alerts list --rule gate --since 12h
      imagewatch alerts why uploads/front-door/a.jpg
      imagewatch alerts not-this ALERT_ID --note "only the cat"
      imagewatch alerts precision gate
    """


@alerts.command("list")
@option("--rule", metavar="RULE", help="Show only this rule's alerts. This is much faster.")
@option("--since", type=AGE, default="7d", show_default=True, metavar="AGE", help="How far back: 90m, 12h, 7d or a date.")
@option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N",
    help="The largest number of alerts to show.",
)  # fmt: skip
@json_option
@deployment_options
def list_(*, rule: str | None, since: str, limit: int, as_json: bool, deployment: Deployment) -> int:
    """Show the newest alerts and their states."""
    store = AlertStore(deployment.aws(), deployment.stack)
    found = store.of_rule(rule, since, limit) if rule else store.newest(since, limit)
    if rule is not None and not found:
        _require_rule(store, rule)
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json({"alerts": [plain_alert(alert) for alert in found]})
    elif found:
        terminal.print(alerts_table(found))
    else:
        terminal.print(f"No alerts since {minute(since)}.")
    return 0


@alerts.command()
@_alert
@json_option
@deployment_options
def show(*, alert: str, as_json: bool, deployment: Deployment) -> int:
    """Show one alert in full, with the rule as it was when it matched."""
    found = AlertStore(deployment.aws(), deployment.stack).one(alert)
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json({**found.item})
    else:
        terminal.print(*alert_lines(found))
    return 0


@alerts.command()
@argument("image", metavar="IMAGE", help="The image's key, such as uploads/front-door/a.jpg, or its id.")
@json_option
@deployment_options
def why(*, image: str, as_json: bool, deployment: Deployment) -> int:
    """Show why an image did or did not notify people, rule by rule.

    For each rule: whether it matched, and whether its alert was sent, suppressed (by which cooldown and which alert), muted,
    queued for a digest, or failed.
    """
    answer = find_answer(deployment.aws(), deployment.stack, image)
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json(answer_document(answer))
    else:
        terminal.print(*answer_lines(answer))
    return 0


@alerts.command()
@option("--channel", "channels", multiple=True, metavar="ID", help="Test only this channel. May be given several times.")
@json_option
@deployment_options
def test(*, channels: tuple[str, ...], as_json: bool, deployment: Deployment) -> int:
    """Send a test through each channel and show the outcomes.

    Without --channel, it tests every channel that isn't disabled.
    """
    aws = deployment.aws()
    tested = list(channels) or [channel.channel_id for channel in ChannelStore(aws, deployment.stack).all() if channel.enabled]
    outcomes = AlertStore(aws, deployment.stack).test(tested)
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json({"channels": [outcome.to_item() for outcome in outcomes]})
    for outcome in outcomes:
        name = printable(outcome.channel_id)
        if outcome.is_sent:
            answer = "accepted by SNS; `imagewatch channels list` shows the subscribers" if name == EMAIL else outcome.answer
            terminal.print(Text.assemble(("sent", "bold green"), f"    {name}: {printable(answer)}"))
        else:
            terminal.print(Text.assemble(("failed", "bold red"), f"  {name}: {printable(outcome.answer)}"))
    return 0 if all(outcome.is_sent for outcome in outcomes) else 1


@alerts.command()
@argument("link", metavar="TOKEN-OR-URL", help='The address of "Confirm subscription" in the e-mail from SNS, in quotes.')
@option(
    "--topic", type=click.Choice(("alerts", "operations")), default="alerts", show_default=True,
    help="The topic that a token without an address is for.",
)  # fmt: skip
@deployment_options
def confirm(*, link: str, topic: str, deployment: Deployment) -> int:
    """Confirm an e-mail subscription so that a click on a link can't end it.

    Without this, the link "unsubscribe" in each e-mail works for everyone who has the e-mail, and mail scanners that open links
    use it.
    """
    arn, _ = confirm_subscription(deployment.aws(), deployment.stack, link, topic)
    Terminal(quiet=False).print(
        f"Confirmed for {arn.rpartition(':')[2]}. Only AWS credentials can end this subscription now; links in e-mails can't."
    )
    return 0


@alerts.command("not-this")
@_alert
@option("--note", metavar="TEXT", help="What it was instead.")
@option("--undo", is_flag=True, help="Remove the mark.")
@deployment_options
def not_this(*, alert: str, note: str | None, undo: bool, deployment: Deployment) -> int:
    """Mark an alert as wrong: the rule should not have matched this image."""
    if undo and note:
        raise UsageError("--note says why an alert is wrong, so it can't be used with --undo.")
    store = AlertStore(deployment.aws(), deployment.stack)
    found = store.unmark(alert) if undo else store.mark(alert, note)
    did = "No longer marked" if undo else "Marked as wrong"
    see = f"imagewatch alerts precision {printable(found.rule_id)}{deployment.options}"
    Terminal(quiet=False).print(f"{did}: {printable(found.subject or alert)}", f"See: {see}")
    return 0


@alerts.command()
@argument("rule", metavar="RULE", help="The rule's id.")
@option("--since", type=AGE, default="90d", show_default=True, metavar="AGE", help="Count alerts since then.")
@json_option
@deployment_options
def precision(*, rule: str, since: str, as_json: bool, deployment: Deployment) -> int:
    """Show how often a rule is right, and propose thresholds."""
    store = AlertStore(deployment.aws(), deployment.stack)
    terms = store.rule(rule) if rule else None
    seen = judged(store.of_rule(rule, since)) if rule else []
    if terms is None and not seen:
        _require_rule(store, rule)
    found = measure(seen, terms)
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json({"rule": rule, "since": since, **precision_numbers(found)})
    else:
        terminal.print(*precision_lines(rule, found))
    return 0


def _require_rule(store: AlertStore, rule_id: str) -> None:
    """Raises CommandError for a rule that has neither a record nor alerts. A deleted rule still has its alerts."""
    if not rule_id or (store.rule(rule_id) is None and not store.count_of_rule(rule_id)):
        raise CommandError(f"there is no rule {rule_id}, and no alert of one. `imagewatch rules list` shows the rules.")
