"""The pages of an image and of an execution: in the web app, or in the AWS console where the stack has no web app."""

from __future__ import annotations

from urllib.parse import urlencode

from imagewatch.images.version import ImageVersion


def image_url(image: ImageVersion, web_url: str, region: str) -> str:
    """The image's page. It requires signing in. `web_url` is the address of the web app, or empty."""
    if web_url:
        return f"{web_url.rstrip('/')}/images/{image.image_id}"
    query = {"region": region, "prefix": image.key}
    if image.version_id:
        query["versionId"] = image.version_id
    return f"{console_url(region)}/s3/object/{image.bucket}?{urlencode(query)}"


def history_url(execution_arn: str, web_url: str) -> str:
    """The page that shows how the image was analysed, step by step."""
    return f"{web_url.rstrip('/')}/executions/{execution_arn}" if web_url else execution_url(execution_arn)


def execution_url(arn: str) -> str:
    """The execution's page in the Step Functions console."""
    region = arn.split(":")[3]
    return f"{console_url(region)}/states/home?region={region}#/v2/executions/details/{arn}"


def console_url(region: str) -> str:
    """The address of the AWS console for a Region, without a slash at the end. Each partition has its own domain.

    Sources: AWS General Reference, "AWS Management Console endpoints"; Amazon Web Services in China, "Endpoints and ARNs".
    """
    domains = {"cn": "amazonaws.cn", "us-gov": "amazonaws-us-gov.com"}
    domain = next((domain for prefix, domain in domains.items() if region.startswith(f"{prefix}-")), "aws.amazon.com")
    return f"https://{region}.console.{domain}"
