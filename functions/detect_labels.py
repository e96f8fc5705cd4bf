"""Detect Labels: calls Rekognition once for all labels from the floor confidence up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.aws import rekognition
from imagewatch.aws.settings import setting
from imagewatch.images import findings
from imagewatch.observability import logger, task

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Object; returns {Labels, ModelVersion}, highest confidence first."""
    answer = rekognition.detect_labels(event["Object"], float(setting("FLOOR_CONFIDENCE")))
    found = findings.labels_found(answer)
    logger.info("Labels detected.", labels=len(found["Labels"]), omitted=found.get("Omitted", 0))
    return found
