"""An identified request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tools.sam_template import ACCOUNT_ID

DEFAULT_REGION = "us-east-1"

Action = tuple[str, str, Mapping[str, Any]]
"""IAM action, resource ARN or "*", condition context."""


@dataclass(frozen=True, slots=True)
class Call:
    """An identified request.

    `service` is the name in the signature, except that CloudWatch ("monitoring" in signatures) is "cloudwatch". `actions`
    lists each required permission as (IAM action, resource ARN or "*", condition context). It is empty only for operations
    that need no permission: sts:GetCallerIdentity, S3's CORS preflight, Cognito's public operations. With the further
    permission `when_missing` a missing object is a 404 instead of a 403. `protocol` is the format of errors: json-1.0,
    json-1.1, query, rest-xml or rest-json.
    """

    service: str
    operation: str
    access_key: str | None
    actions: list[Action]
    protocol: str = "json-1.0"
    region: str = DEFAULT_REGION
    method: str = "POST"
    when_missing: Action | None = None

    @property
    def resources(self) -> tuple[str, ...]:
        return tuple(resource for _, resource, _ in self.actions)


@lru_cache(maxsize=64)
def request_context(region: str) -> Mapping[str, Any]:
    """The condition keys of all requests. Local requests count as encrypted."""
    return {
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": region,
        "aws:ResourceAccount": ACCOUNT_ID,
        "aws:PrincipalIsAWSService": "false",
        "aws:ViaAWSService": "false",
        "s3:TlsVersion": "1.3",
    }
