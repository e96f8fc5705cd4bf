"""Renders the state of a backfill at the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from uploader.backfill.runs import INTERRUPTED, SUCCEEDED, RunState
from uploader.terminal import printable

_ALERTS = {
    "Sent": "sent", "SentBefore": "sent before", "Suppressed": "suppressed by the cooldown", "Queued": "queued for a digest",
    "Failed": "failed", "Muted": "muted",
}  # fmt: skip


def progress_text(state: RunState) -> str:
    """The text beside the progress bar."""
    progress = state.progress
    if "Pages" not in progress:
        return "Waiting until no function has the old watchlist"
    return f"Applying: {progress.get('Matched', 0):,} matched, {_changed(progress):,} records changed"


def run_document(state: RunState) -> dict[str, Any]:
    """For scripts. The counts are those of the workflow."""
    shown = {name: value for name, value in state.progress.items() if name not in ("Rule", "Cursor")}
    return {"execution": state.arn, "status": state.status, "cause": state.cause, "progress": shown}


def ending_lines(state: RunState) -> Iterator[Text]:
    """The run's result or current state, with its counts."""
    progress = state.progress
    if state.status == SUCCEEDED:
        yield Text.assemble(("applied", "bold green"), f"  {_counts(progress)}")
    else:
        style = "yellow" if state.is_running else "bold red"
        yield Text.assemble((state.status.lower().replace("_", " "), style), f"  so far {_counts(progress)}")
        if state.cause:
            yield Text(f"  {printable(state.cause)}")
        if state.status in INTERRUPTED:
            yield Text(_still_at_work(state), style="yellow")
    alerts = {name: count for name, count in progress.get("Alerts", {}).items() if count}
    if alerts:
        yield Text(f"Alerts: {', '.join(f'{count:,} {_ALERTS.get(name, name)}' for name, count in alerts.items())}.")
    if progress.get("Skipped"):
        yield Text(
            f"{progress['Skipped']:,} images were skipped: their records are damaged (the log says which).", style="yellow"
        )


def next_commands(state: RunState, options: str) -> Iterator[Text]:
    """The commands that follow, stop or resume the run; `options` name the deployment."""
    if state.is_running:
        yield Text("The run continues. To follow it again, or to stop it:")
        yield Text(f"  imagewatch rules apply --follow {state.arn}{options}")
        yield Text(f"  imagewatch rules apply --stop {state.arn}{options}")
    elif state.status != SUCCEEDED:
        yield Text("To continue from where it stopped:")
        yield Text(f"  imagewatch rules apply --resume {state.arn}{options}")


def _still_at_work(state: RunState) -> str:
    """A note about the page that is still running: stopping an execution doesn't stop the function that it has called."""
    does = "record matches and send alerts" if state.alerts else "record matches"
    return (
        f"The current page ends about 20 seconds after the stop and may still {does}."
        " These counts don't include it. --resume repeats that page, and nothing is recorded or sent twice."
    )


def _counts(progress: Mapping[str, Any]) -> str:
    if not progress:
        return "no page has ended yet"
    examined, matched, cleared = (int(progress.get(name, 0)) for name in ("Examined", "Matched", "Cleared"))
    rest = f", {cleared:,} no longer match" if cleared else ""
    return f"{examined:,} images: {matched:,} match{rest}; {_changed(progress):,} records changed"


def _changed(progress: Mapping[str, Any]) -> int:
    return int(progress.get("Recorded", 0)) + int(progress.get("Cleared", 0))
