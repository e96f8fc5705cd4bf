"""`imagewatch rules`: the watchlist. Other modules have the actions that write, import and backfill rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from uploader.alerts.alert_store import AlertStore
from uploader.alerts.render import precision_lines, precision_numbers
from uploader.alerts.stored_alert import StoredAlert
from uploader.aws.session import Deployment
from uploader.commands import rules_backfill, rules_files, rules_writing
from uploader.commands.options import deployment_options, json_option
from uploader.errors import CommandError
from uploader.help import Group, argument
from uploader.rules.mute_store import mute_lines, mutes_document
from uploader.rules.precision import Precision, RuleTerms, judged, measure
from uploader.rules.render import rule_lines, rules_table, state_of
from uploader.rules.rule_store import Rules, Stored
from uploader.terminal import Terminal
from uploader.times import now, since

_ALERTS_COUNTED = 500


@click.group(cls=Group)
def rules() -> None:
    """Write rules, try them on past images, and apply them.

    A rule says which images send an alert, and through which channels. You write rules with flags or in YAML (docs/rules.md).
    They are checked before they are stored, and a change by another user is never overwritten. `preview` shows what a rule
    would have matched and sent in the past. `apply` records its matches on past images, and sends alerts only with --alert.

    \b
    Examples:
      imagewatch rules add "Person at night" --any Person:90 --active 22:00-06:00 --time-zone Europe/Berlin
      imagewatch rules preview person-at-night --since 30d
      imagewatch rules edit person-at-night --cooldown 10m
      imagewatch rules export > rules.yaml
    """


@rules.command("list")
@json_option
@deployment_options
def list_(*, deployment: Deployment, as_json: bool) -> int:
    """Show all rules and their states."""
    found, mutes = Rules(deployment.aws(), deployment.stack).all_and_mutes()
    terminal, moment = Terminal(quiet=as_json), now()
    if as_json:
        listed = [{**_plain(stored), "State": state_of(stored, moment)} for stored in found.values()]
        terminal.print_json({"rules": listed, "mutes": mutes_document(mutes)})
        return 0
    terminal.print(*mute_lines(mutes))
    if found:
        terminal.print(rules_table(found.values(), moment))
    else:
        terminal.print(
            f'There are no rules yet. To add one: imagewatch rules add "Person seen" --any Person:90{deployment.options}'
        )
    return 0


@rules.command()
@argument("rule", metavar="RULE", help="The rule's id.")
@json_option
@deployment_options
def show(*, rule: str, deployment: Deployment, as_json: bool) -> int:
    """Show one rule and a summary of its alerts."""
    aws = deployment.aws()
    stored = Rules(aws, deployment.stack).get(rule)
    terminal = Terminal(quiet=as_json)
    try:
        alerts, unknown = AlertStore(aws, deployment.stack).of_rule(rule, since("30d"), _ALERTS_COUNTED), ""
    except CommandError as error:  # a user who may read rules need not have permission to read alerts
        alerts, unknown = [], str(error)
    if as_json:
        numbers = {"counted": len(alerts), **_by_status(alerts), **precision_numbers(_precision(stored, alerts))}
        terminal.print_json({"rule": _plain(stored), "State": state_of(stored, now()), "alerts": None if unknown else numbers})
        return 0
    stored.valid()
    terminal.print(*rule_lines(stored, now()))
    terminal.print(*([Text(f"Its alerts can't be read: {unknown}", style="yellow")] if unknown else _alert_lines(stored, alerts)))
    return 0


for _command in (
    rules_writing.add,
    rules_writing.edit,
    rules_writing.enable,
    rules_writing.disable,
    rules_writing.snooze,
    rules_writing.delete,
    rules_files.import_,
    rules_files.export,
    rules_backfill.preview,
    rules_backfill.apply,
):
    rules.add_command(_command)


def _alert_lines(stored: Stored, alerts: Sequence[StoredAlert]) -> list[Text]:
    if not alerts:
        return [Text("No alerts in the last 30 days.")]
    which = f"The newest {len(alerts)} alerts" if len(alerts) == _ALERTS_COUNTED else f"{len(alerts)} alerts in the last 30 days"
    counts = ", ".join(f"{count} {status}" for status, count in _by_status(alerts).items())
    return [Text(f"{which}: {counts}."), *precision_lines(stored.rule_id, _precision(stored, alerts))]


def _precision(stored: Stored, alerts: Sequence[StoredAlert]) -> Precision:
    return measure(judged(alerts), RuleTerms.from_item(stored.record))


def _by_status(alerts: Sequence[StoredAlert]) -> dict[str, int]:
    statuses = [alert.status.lower() for alert in alerts]
    return {status: statuses.count(status) for status in dict.fromkeys(statuses)}


def _plain(stored: Stored) -> dict[str, Any]:
    """The record for --json: with its defaults, or, when it is invalid, as it is stored and with its problem."""
    return stored.rule.to_item() if stored.rule else {**stored.record, "Problem": stored.problem}
