"""How alerts and a rule's precision read at the terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from imagewatch.alerts.alert import SUPPRESSED, Delivery
from imagewatch.alerts.alert_text import percent, render_match
from imagewatch.alerts.cooldown import render_duration
from uploader.alerts.stored_alert import Mark, StoredAlert
from uploader.rules.files import document
from uploader.rules.precision import FEW, Precision, Proposal
from uploader.rules.yaml_document import dump
from uploader.tables import TableOrLines
from uploader.terminal import printable
from uploader.times import minute

_STYLES = {"SENT": "green", "DIGESTED": "green", "FAILED": "red", "PENDING": "yellow", "QUEUED": "yellow", "SUPPRESSED": "dim"}
_LEAST_WIDTH = 125  # 75 columns are taken by times, states and ids; in what is left a subject can still be read


def plain_alert(alert: StoredAlert) -> dict[str, Any]:
    """For scripts: the fields of an alert that are meant for others."""
    wanted = ("AlertId", "RuleId", "RuleName", "Status", "CreatedAt", "Subject", "Source", "Key", "Deliveries",
              "SuppressedBy", "NotThis")  # fmt: skip
    return {name: alert.item[name] for name in wanted if name in alert.item}


def alerts_table(alerts: Sequence[StoredAlert]) -> TableOrLines:
    """A row for each alert: time, status, subject and channels."""
    rows = [_cells(alert) for alert in alerts]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("When (UTC)", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Alert", overflow="fold")
    table.add_column("Channels", overflow="fold")
    table.add_column("Alert id", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    entries = [
        ([when, status, alert_id], [Text.assemble(subject, f" ({channels})") if channels else subject])
        for when, status, subject, channels, alert_id in rows
    ]
    return TableOrLines(table, _LEAST_WIDTH, entries)


def _cells(alert: StoredAlert) -> tuple[Text, Text, Text, Text, Text]:
    title = Text(printable(alert.title))
    return (
        Text(alert.created_at[:19].replace("T", " ")),
        Text(alert.status.lower(), style=_STYLES.get(alert.status, "")),
        Text.assemble(("not this: ", "red"), title) if alert.mark else title,
        Text(printable(_delivery_words(alert.deliveries))),
        Text(alert.alert_id),
    )


def alert_lines(alert: StoredAlert) -> Iterator[Text]:
    """One alert in full: what was found, in which image, its deliveries, and the rule as it was then."""
    rule = alert.rule
    yield Text.assemble((printable(alert.title), "bold"), " (", (alert.status.lower(), _STYLES.get(alert.status, "")), ")")
    facts = {
        "Found": ", ".join(f"{render_match(match)} {percent(match.confidence)}" for match in (rule.matches if rule else ())),
        "Image": alert.key,
        "Link": alert.link,
        "When": minute(alert.created_at),
        "Channels": _delivery_words(alert.deliveries),
        "Suppressed by": _suppressed_words(alert) if alert.status == SUPPRESSED else "",
        "Reported too": f"{alert.suppressed_before} suppressed before it" if alert.suppressed_before else "",
        "Not this": _mark_words(alert.mark) if alert.mark else "",
    }
    yield from (Text(f"  {name + ':':<15}{printable(value)}") for name, value in facts.items() if value)
    yield Text("")
    version = f"version {rule.version if rule else alert.rule_version} of {alert.rule_id}"
    if rule is None:
        yield Text(printable(f"The rule was {version}; its record is damaged."))
        return
    if rule.definition is None:
        yield Text(printable(f"The rule was {version}; so many rules matched this image that it isn't kept here."))
        return
    yield Text(printable(f"The rule as it was, {version}:"))
    yield from (Text(f"  {printable(line)}") for line in dump([document(rule.definition)]).splitlines())


def _suppressed_words(alert: StoredAlert) -> str:
    """The cooldown that suppressed it, and the alert or digest that started the cooldown."""
    seconds = alert.rule.cooldown.seconds if alert.rule else 0
    cooldown = f"the cooldown of {render_duration(seconds)}" if seconds else "its cooldown"
    return f"{cooldown}, which alert or digest {alert.suppressed_by} started" if alert.suppressed_by else cooldown


def _mark_words(mark: Mark) -> str:
    note = f": {mark.note}" if mark.note else ""
    return f"marked as wrong by {mark.by or 'an unknown user'}, {minute(mark.at)}{note}"


def _delivery_words(deliveries: Mapping[str, Delivery]) -> str:
    """The status of each channel, and why one has not sent the alert."""
    words = []
    for channel_id, delivery in sorted(deliveries.items()):
        reason = f" ({delivery.reason})" if delivery.reason and delivery.status in ("FAILED", "PENDING") else ""
        words.append(f"{channel_id} {delivery.status.lower()}{reason}")
    return ", ".join(words)


def precision_numbers(found: Precision) -> dict[str, Any]:
    """For scripts. Shares are 0-1; None without alerts, or when none of them was judged."""
    is_judged = bool(found.wrong)
    return {
        "right": found.right,
        "wrong": found.wrong,
        "judged": is_judged,
        "precision": found.precision if is_judged else None,
        "proposals": [asdict(proposal) for proposal in found.proposals],
        "spared": found.spared,
        "precision_with_proposals": found.precision_then if is_judged else None,
    }


def precision_lines(rule_id: str, found: Precision) -> list[Text]:
    """How often the rule is right, and what would make it right more often."""
    rule, total = printable(rule_id), found.right + found.wrong
    if found.precision is None:
        return [Text(f"{rule}: no alert of this rule was sent in that time.")]
    if not found.wrong:
        several = "1 alert, not judged" if total == 1 else f"{total} alerts, none judged"
        advice = "Mark wrong ones with `imagewatch alerts not-this ALERT_ID`. The others then count as right."
        return [Text(f"{rule}: {several} yet."), Text(advice)]
    share = _percent(found.precision)
    lines = [Text(f"{rule}: {found.right} of {total} alerts were right ({share}); {found.wrong} were marked as wrong.")]
    if not found.proposals:
        return [*lines, Text("No threshold keeps the right ones and spares a wrong one: they are as sure as each other.")]
    lines += [_proposal_line(proposal) for proposal in found.proposals]
    kept, spared = f"kept {found.right} of {found.right} right ones", f"spared {found.spared} of {found.wrong} wrong ones"
    lines.append(Text(f"That would have {kept} and {spared}: {_percent(found.precision_then or 0)} right."))
    if found.right < FEW:
        lines.append(Text(f"{found.right} right alerts are few to go by.", style="yellow"))
    return lines


def _proposal_line(proposal: Proposal) -> Text:
    now = f" (now {proposal.now:g} %)" if proposal.now is not None else ""
    if proposal.threshold is None:
        advice = "whatever it brought was wrong. Take it out of the rule"
    else:
        advice = f"at least {proposal.threshold:g} %"
    return Text(f"  {printable(proposal.term)}: {advice}{now}", style="bold")


def _percent(share: float) -> str:
    return f"{int(share * 1000) / 10:g} %"
