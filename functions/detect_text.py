"""Detect Text: asks Rekognition, once, for the words in the image. An optional step, off unless the stack asks for it."""

from __future__ import annotations

from typing import Any

from imagewatch.aws import rekognition
from imagewatch.images import findings
from imagewatch.observability import logger, task


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Object; returns {Text, ModelVersion}."""
    found = findings.text_found(rekognition.detect_text(event["Object"]))
    logger.info("Text detected.", entries=len(found["Text"]))
    return found
