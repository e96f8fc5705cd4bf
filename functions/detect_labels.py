"""Detect Labels: asks Rekognition, once, for every label from the floor confidence up."""

from __future__ import annotations

from typing import Any

from imagewatch.aws import rekognition
from imagewatch.aws.settings import setting
from imagewatch.images import findings
from imagewatch.observability import logger, task


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Object; returns {Labels, ModelVersion}, surest first."""
    answer = rekognition.detect_labels(event["Object"], float(setting("FLOOR_CONFIDENCE")))
    found = findings.labels_found(answer)
    logger.info("Labels detected.", labels=len(found["Labels"]), omitted=found.get("Omitted", 0))
    return found
