"""Validate Image: reads the object once, checks by its bytes that it is an image, and writes its renditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch import timestamps
from imagewatch.aws import s3 as objects
from imagewatch.images import decoding, taken
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger, task

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Image; returns Record (attributes for the image's record) and Object (what Rekognition reads)."""
    image = ImageVersion.from_state(event["Image"])
    decoding.refuse_size(image.size)
    uploaded = objects.read(image)
    picture = decoding.examine(uploaded.data)
    objects.write_rendition(image.thumbnail_key, picture.thumbnail)
    record: dict[str, Any] = {
        "Format": picture.format,
        "Width": picture.width,
        "Height": picture.height,
        "Sha256": picture.sha256,
        "Thumbnail": image.thumbnail_key,
        **taken.attributes(image, picture.taken, uploaded.metadata, timestamps.iso_now()),
    }
    if picture.coverage:
        record |= {"Frames": picture.frames, "Coverage": picture.coverage}
    to_analyze = {"Bucket": image.bucket, "Key": image.key, "VersionId": image.version_id}
    if picture.converted:
        to_analyze = objects.write_rendition(image.analysis_key, picture.converted)
        record |= {"AnalysisCopy": image.analysis_key, "Conversion": picture.conversion}
    logger.info("Image is valid.", format=picture.format, width=picture.width, height=picture.height)
    return {"Object": to_analyze, "Record": record}
