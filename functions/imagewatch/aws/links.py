"""Links for users: into the web app, or into the AWS console where the stack has no web app."""

from __future__ import annotations

from imagewatch.aws.settings import setting
from imagewatch.aws.stepfunctions import execution_url
from imagewatch.images import links as addresses
from imagewatch.images.version import ImageVersion


def image_url(image: ImageVersion) -> str:
    """The image's page. It requires signing in."""
    return addresses.image_url(image, setting("WEB_URL"), setting("AWS_REGION"))


def history_url(execution_arn: str) -> str:
    """The page that shows how the image was analysed, step by step."""
    web_url = setting("WEB_URL")
    return f"{web_url.rstrip('/')}/executions/{execution_arn}" if web_url else execution_url(execution_arn)
