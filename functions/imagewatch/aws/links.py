"""Links for people: into the web app, or into the AWS console where the stack has no web app."""

from __future__ import annotations

from urllib.parse import urlencode

from imagewatch.aws.environment import setting
from imagewatch.aws.executions import execution_url
from imagewatch.images import ImageVersion


def image_url(image: ImageVersion) -> str:
    """Where a person can look at the image, after signing in."""
    web_url, region = setting("WEB_URL"), setting("AWS_REGION")
    if web_url:
        return f"{web_url.rstrip('/')}/images/{image.image_id}"
    query = {"region": region, "prefix": image.key}
    if image.version_id:
        query["versionId"] = image.version_id
    return f"https://{region}.console.aws.amazon.com/s3/object/{image.bucket}?{urlencode(query)}"


def history_url(execution_arn: str) -> str:
    """Where a person can follow how the image was analysed, step by step."""
    web_url = setting("WEB_URL")
    return f"{web_url.rstrip('/')}/executions/{execution_arn}" if web_url else execution_url(execution_arn)
