"""Start Analysis: starts one execution for each object version that S3 announces on the intake queue, at a limited rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from imagewatch import timestamps
from imagewatch.errors import Throttled, TransientError
from imagewatch.images import s3_events
from imagewatch.observability import logger, logs_invocation, set_log_context
from imagewatch.services import intake

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_MILLISECONDS = 10_000
"""Time that one message can take after it has its slot. With less than this left, the rest of the batch stays on the queue."""


@logs_invocation
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Takes a batch of SQS messages; returns those that failed, which SQS delivers again. Raises when all of them failed."""
    return process_partial_response(event, handle, BatchProcessor(EventType.SQS), context)


def handle(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Handles the events of one message. Raises what keeps it from being handled, so that it stays on the queue."""
    set_log_context(None, None)
    try:
        remaining = lambda_context.get_remaining_time_in_millis() - RESERVE_MILLISECONDS
        if remaining <= 0:
            raise Throttled("The messages before it took the time of this invocation.")
        deadline = timestamps.now() + remaining * 1000
        for change in s3_events.parse_message(record.body):
            intake.handle(change, deadline)
    except TransientError as error:
        logger.warning(f"The message stays on the queue. {error}", message_id=record.message_id, error=type(error).__name__)
        raise
    except Exception:
        logger.exception("The message could not be handled. It stays on the queue.", message_id=record.message_id)
        raise
