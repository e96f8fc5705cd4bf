"""Evaluate Page: matches one page of stored findings against the rule of a backfill."""

from __future__ import annotations

from typing import Any

from imagewatch.observability import logger, task
from imagewatch.rules.backfill import BackfillRun, Progress
from imagewatch.services.backfill import BackfillPage, rule_of
from imagewatch.services.delivery import OUTCOMES


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Run, Progress (of the pages before), StartedAt, ExecutionArn and Redrives; returns the Progress with this page in it.

    Raises InvalidRun or InvalidRule for what can't be applied, and a transient error only when the page has changed nothing yet.
    """
    run = BackfillRun.from_input(event["Run"], event["StartedAt"])
    progress = Progress.from_state(event["Progress"], OUTCOMES)
    rule = rule_of(run, progress)
    page = BackfillPage(run, rule, progress, event["ExecutionArn"], event["Redrives"])
    page.work(context.get_remaining_time_in_millis() / 1000)
    state = progress.to_state()
    logger.info("Page evaluated.", rule=rule.name, **{name: state[name] for name in ("Pages", "Examined", "Matched", "Done")})
    return state
