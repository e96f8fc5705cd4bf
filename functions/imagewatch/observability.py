"""Logs and metrics: each line is JSON and carries the image and the execution, so that one search tells one image's story.

Metrics are EMF lines in the same log. Traces come from `Tracing: Active` without an SDK.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from imagewatch.errors import ImagewatchError

NAMESPACE = "Imagewatch"
_SUBJECT = ("image_id", "execution_id", "function", "request_id")
Handler = Callable[[dict[str, Any], Any], Any]

logger = Logger(use_rfc3339=True, utc=True)  # its service is POWERTOOLS_SERVICE_NAME: the stack's name
# botocore tells at INFO where it found its credentials, in lines that say nothing of the image.
logging.getLogger("botocore").setLevel(logging.WARNING)


def set_log_context(image: Mapping[str, Any] | None, execution: str | None, context: Any = None) -> None:
    """From here on each log line says which image (its state form) and which execution (ARN) it is about.

    Without a context (Lambda's), the lines go on naming the invocation that they named before.
    """
    before = {} if context else logger.get_current_keys()
    logger.clear_state()
    logger.append_keys(
        image_id=(image or {}).get("ImageId"),
        key=(image or {}).get("Key"),
        execution_id=execution,
        request_id=getattr(context, "aws_request_id", before.get("request_id")),
        function=getattr(context, "function_name", before.get("function")),
    )


def task(handler: Handler) -> Handler:
    """A handler whose event has ExecutionArn, and mostly Image: names them on each line, and logs how the task failed."""

    @functools.wraps(handler)
    def logged(event: dict[str, Any], context: Any) -> Any:
        set_log_context(event.get("Image"), event["ExecutionArn"], context)
        try:
            return handler(event, context)
        except ImagewatchError as error:
            logger.warning(str(error), error=type(error).__name__)
            raise
        except Exception as error:
            logger.exception("The task failed.", error=type(error).__name__)
            raise

    return logged


def count(metric: str, number: int = 1) -> None:
    """Adds to one of the metrics that docs/operations.md lists."""
    with single_metric(name=metric, unit=MetricUnit.Count, value=number, namespace=NAMESPACE) as emitted:
        emitted.add_dimension(name="service", value=logger.service)  # two stacks in a Region keep apart
        for name, value in logger.get_current_keys().items():
            if name in _SUBJECT:
                emitted.add_metadata(key=name, value=value)
