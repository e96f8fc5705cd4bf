"""Evaluate Page: holds stored findings against the rule of a run over history, for as long as one page may take."""

from __future__ import annotations

from typing import Any

from imagewatch.observability import logger, task
from imagewatch.rules.backfill import Progress, Run
from imagewatch.services.backfill import Page, rule_of
from imagewatch.services.delivery import OUTCOMES


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Run, Progress (of the pages before), StartedAt and Redrives; returns the Progress with this page in it.

    Raises InvalidRun or InvalidRule for what can't be applied, and what a retry can heal when it comes before anything is done.
    """
    run = Run.from_input(event["Run"], event["StartedAt"])
    progress = Progress.from_state(event["Progress"], OUTCOMES)
    rule = rule_of(run, progress)
    Page(run, rule, progress, event["ExecutionArn"], event["Redrives"]).work(context.get_remaining_time_in_millis() / 1000)
    state = progress.to_state()
    logger.info("Page evaluated.", rule=rule.name, **{name: state[name] for name in ("Pages", "Examined", "Matched", "Done")})
    return state
