"""Detect Moderation: calls Rekognition once for moderation labels, each with its chain of parents."""

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
    """Takes Object; returns {Status, Labels, ModelVersion}. Status says whether a moderation model examined the image."""
    answer = rekognition.detect_moderation_labels(event["Object"], float(setting("MODERATION_FLOOR_CONFIDENCE")))
    found = findings.moderation_found(answer)
    logger.info("Moderation checked.", status=found["Status"], labels=len(found["Labels"]))
    return found
