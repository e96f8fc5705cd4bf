"""Links into the AWS console: each partition has its own domain."""

from __future__ import annotations

import pytest

from imagewatch.images.links import console_url, execution_url, history_url, image_url
from imagewatch.images.version import ImageVersion

HOSTS = {
    "us-east-1": "https://us-east-1.console.aws.amazon.com",
    "eu-central-2": "https://eu-central-2.console.aws.amazon.com",
    "cn-northwest-1": "https://cn-northwest-1.console.amazonaws.cn",
    "us-gov-east-1": "https://us-gov-east-1.console.amazonaws-us-gov.com",
}


@pytest.mark.parametrize(("region", "host"), HOSTS.items())
def test_the_console_of_a_region_is_in_the_domain_of_its_partition(region: str, host: str) -> None:
    image = ImageVersion("photos", "uploads/a b.jpg", "v1", "etag", "01", 10, "2026-11-20T08:00:00.000Z")
    arn = f"arn:aws:states:{region}:123456789012:execution:analyze:one"
    assert console_url(region) == host
    assert image_url(image, "", region).startswith(f"{host}/s3/object/photos?region={region}&")
    assert execution_url(arn) == f"{host}/states/home?region={region}#/v2/executions/details/{arn}"
    assert history_url(arn, "") == execution_url(arn)
    assert history_url(arn, "https://images.example.com/") == f"https://images.example.com/executions/{arn}"
    assert image_url(image, "https://images.example.com/", region) == f"https://images.example.com/images/{image.image_id}"
