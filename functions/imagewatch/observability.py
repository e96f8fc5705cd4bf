"""Logs and metrics. Each line is JSON with the image and the execution, so that one search finds all lines about one image.

Metrics are EMF lines in the same log. Traces come from `Tracing: Active`, without an SDK.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from imagewatch.errors import ImagewatchError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

NAMESPACE = "Imagewatch"
_METRIC_KEYS = ("image_id", "execution_id", "function_name", "function_request_id")
Handler = Callable[[dict[str, Any], "LambdaContext"], Any]

logger = Logger(use_rfc3339=True, utc=True)  # its service is POWERTOOLS_SERVICE_NAME: the stack's name
# At INFO, botocore logs where it found its credentials, in lines that don't name the image.
logging.getLogger("botocore").setLevel(logging.WARNING)


def set_log_context(image: Mapping[str, Any] | None, execution: str | None) -> None:
    """Names this image (its state form) and this execution (ARN) on each following line; None names none."""
    image = image or {}
    logger.append_keys(image_id=image.get("ImageId"), key=image.get("Key"), execution_id=execution)


def logs_invocation(handler: Handler) -> Handler:
    """Names the function and the invocation on each line of a handler, and nothing from the invocation before."""
    logged: Handler = logger.inject_lambda_context(handler, clear_state=True)
    return logged


def task(handler: Handler) -> Handler:
    """Wraps the handler of a workflow's task, whose event has ExecutionArn and usually Image: both are named on each line.

    Logs how the task failed, and raises the error again.
    """

    @functools.wraps(handler)
    def logged(event: dict[str, Any], context: LambdaContext) -> Any:
        set_log_context(event.get("Image"), event["ExecutionArn"])
        try:
            return handler(event, context)
        except ImagewatchError as error:
            logger.warning(str(error), error=type(error).__name__)
            raise
        except Exception as error:
            logger.exception("The task failed.", error=type(error).__name__)
            raise

    return logs_invocation(logged)


def count(metric: str, number: int = 1) -> None:
    """Adds to one of the metrics that docs/operations.md lists."""
    with single_metric(name=metric, unit=MetricUnit.Count, value=number, namespace=NAMESPACE) as emitted:
        emitted.add_dimension(name="service", value=logger.service)  # separates the stacks of a Region
        for name, value in logger.get_current_keys().items():
            if name in _METRIC_KEYS and value is not None:
                emitted.add_metadata(key=name, value=value)
