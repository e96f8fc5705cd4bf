"""Detect Moderation: asks Rekognition, once, for content that may be unwanted, with each label's chain of parents."""

from __future__ import annotations

from typing import Any

from imagewatch.aws import rekognition
from imagewatch.aws.settings import setting
from imagewatch.images import findings
from imagewatch.observability import logger, task


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Object; returns {Status, Labels, ModelVersion}; Status says whether a model looked at the image at all."""
    answer = rekognition.detect_moderation_labels(event["Object"], float(setting("MODERATION_FLOOR_CONFIDENCE")))
    found = findings.moderation_found(answer)
    logger.info("Moderation checked.", status=found["Status"], labels=len(found["Labels"]))
    return found
