"""Amazon Rekognition: one call for each kind of finding. A refused image raises ImageRejected.

Source: "Error handling" and "Guidelines and quotas" in Rekognition's developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from imagewatch.aws.clients import client, error_code, error_message, translated
from imagewatch.errors import ImageRejected

MAX_LABELS = 1000  # DetectLabels' maximum

# InvalidS3ObjectException isn't a refusal: Validate Image has just read the object, so the usual cause is a missing permission,
# a bucket policy or the Region.
_REFUSALS = {
    "ImageTooLargeException": "Rekognition refused the image as too large",
    "InvalidImageFormatException": "Rekognition could not read the image",
}


def detect_labels(stored: Mapping[str, str], min_confidence: float) -> dict[str, Any]:
    """DetectLabels on an object {Bucket, Key, VersionId}, from min_confidence (0-100) up."""
    return _call("detect_labels", stored, MinConfidence=min_confidence, MaxLabels=MAX_LABELS)


def detect_moderation_labels(stored: Mapping[str, str], min_confidence: float) -> dict[str, Any]:
    """DetectModerationLabels on an object {Bucket, Key, VersionId}, from min_confidence (0-100) up."""
    return _call("detect_moderation_labels", stored, MinConfidence=min_confidence)


def detect_text(stored: Mapping[str, str]) -> dict[str, Any]:
    """DetectText on an object {Bucket, Key, VersionId}."""
    return _call("detect_text", stored)


def _call(operation: str, stored: Mapping[str, str], **arguments: Any) -> dict[str, Any]:
    s3_object = {"Bucket": stored["Bucket"], "Name": stored["Key"]}
    if stored["VersionId"]:
        s3_object["Version"] = stored["VersionId"]
    try:
        with translated():
            answer = getattr(client("rekognition"), operation)(Image={"S3Object": s3_object}, **arguments)
    except ClientError as error:
        if error_code(error) in _REFUSALS:
            raise ImageRejected(f"{_REFUSALS[error_code(error)]}: {error_message(error)}") from error
        raise
    return dict(answer)
