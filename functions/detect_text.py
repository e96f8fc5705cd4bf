"""Detect Text: calls Rekognition once for the text in the image. Optional: the parameter TextDetection turns it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.aws import rekognition
from imagewatch.images import findings
from imagewatch.observability import logger, task

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Object; returns {Text, ModelVersion}."""
    found = findings.text_found(rekognition.detect_text(event["Object"]))
    logger.info("Text detected.", entries=len(found["Text"]))
    return found
