"""Evaluate Page: matches one page of stored findings against the rule of a backfill."""

from __future__ import annotations

from typing import Any

from imagewatch.aws.stepfunctions import continue_run
from imagewatch.observability import logger, task
from imagewatch.rules.backfill import BackfillRun, Progress
from imagewatch.services.backfill import BackfillPage, rule_of
from imagewatch.services.delivery import OUTCOMES


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Run, Progress (of the pages before), StartedAt, ExecutionArn, StateMachineArn, MaxPages and Redrives.

    Returns the Progress with this page in it. After MaxPages, it starts another execution from the cursor instead; the Progress
    then has its ARN as ContinuedBy. Raises InvalidRun or InvalidRule for what can't be applied, and a transient error only when
    the page has changed nothing yet.
    """
    run = BackfillRun.from_input(event["Run"], event["StartedAt"])
    progress = Progress.from_state(event["Progress"], OUTCOMES)
    # Executions that started before MaxPages existed don't send it; they end without a handover.
    if "MaxPages" in event and progress.counts["Pages"] - progress.first_page >= event["MaxPages"]:
        # AWS, Step Functions developer guide, "Continue long-running workflows as new executions".
        progress.continued_by = continue_run(event["StateMachineArn"], event["ExecutionArn"], progress.continuation(run))
        return progress.to_state()
    rule = rule_of(run, progress)
    page = BackfillPage(run, rule, progress, event["ExecutionArn"], event["Redrives"])
    page.work(context.get_remaining_time_in_millis() / 1000)
    state = progress.to_state()
    logger.info("Page evaluated.", rule=rule.name, **{name: state[name] for name in ("Pages", "Examined", "Matched", "Done")})
    return state
