"""URLs of an image's page, made only from the given values."""

from __future__ import annotations

from urllib.parse import urlencode

from imagewatch.images.version import ImageVersion


def image_url(image: ImageVersion, web_url: str, region: str) -> str:
    """The image in the web app (`web_url`), or in the S3 console where the stack has no web app."""
    if web_url:
        return f"{web_url.rstrip('/')}/images/{image.image_id}"
    query = {"region": region, "prefix": image.key}
    if image.version_id:
        query["versionId"] = image.version_id
    return f"{console_url(region)}/s3/object/{image.bucket}?{urlencode(query)}"


def console_url(region: str) -> str:
    """The address of the AWS console for a Region, without a slash at the end. Each partition has its own domain.

    Sources: AWS General Reference, "AWS Management Console endpoints"; Amazon Web Services in China, "Endpoints and ARNs".
    """
    domains = {"cn": "amazonaws.cn", "us-gov": "amazonaws-us-gov.com"}
    domain = next((domain for prefix, domain in domains.items() if region.startswith(f"{prefix}-")), "aws.amazon.com")
    return f"https://{region}.console.{domain}"
