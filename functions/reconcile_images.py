"""Reconcile Images: records the outcome of analyses that should have ended. Runs on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.observability import logger, logs_invocation
from imagewatch.services import reconciliation

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_MILLISECONDS = 30_000
"""Time that one image can take: a run doesn't begin another one with less left."""


@logs_invocation
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Takes no fields; returns how many overdue images had each outcome (see reconciliation.OUTCOMES)."""
    outcomes = reconciliation.reconcile(lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)
    if outcomes.total():
        logger.info("Images reconciled.", outcomes=dict(outcomes))
    return dict(outcomes)
