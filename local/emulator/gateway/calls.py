"""Tells from one HTTP request which AWS operation it is, who asks, and which IAM actions on which resources it needs.

The wire forms are botocore's (`X-Amz-Target`, `Action=`, REST paths, SigV4's credential scope); the actions and
resources are those of the AWS Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from local.emulator.gateway import resource_arns, s3_calls, service_models

ACCOUNT_ID = "123456789012"
DEFAULT_REGION = "us-east-1"

Action = tuple[str, str, Mapping[str, Any]]

_AUTHORIZATION = re.compile(r"Credential\s*=\s*([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
_SCOPE = re.compile(r"^([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request$")
_SIGV2 = re.compile(r"^AWS ([^:\s]+):")
_SERVICE_OF_SCOPE = {"monitoring": "cloudwatch", "s3express": "s3", "s3-object-lambda": "s3"}
_SERVICE_OF_TARGET = {
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "AWSStepFunctions": "states",
    "RekognitionService": "rekognition",
    "Logs_20140328": "logs",
    "AWSEvents": "events",
    "AmazonSSM": "ssm",
    "GraniteServiceVersion20100801": "cloudwatch",
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "TrentService": "kms",
}
_LAMBDA_PATH = re.compile(r"^/20\d\d-\d\d-\d\d/(functions|event-source-mappings|layers|tags|account-settings)\b")
_NAMED_HOST = re.compile(r"^([a-z0-9-]+)\.(?:[a-z0-9-]+\.)?amazonaws\.com")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood.

    `service` is the signing name, except that CloudWatch ("monitoring" on the wire) is "cloudwatch". `actions` lists
    every (IAM action, resource ARN or "*", condition context) that must be allowed; it is empty only where AWS asks for
    no permission (sts:GetCallerIdentity, S3's CORS preflight, Cognito's public operations). `when_missing` is the
    further permission that turns "no such object" from 403 into 404. `protocol` is how errors must be written:
    json-1.0, json-1.1, query, rest-xml or rest-json.
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


def identify(method: str, host: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Return the Call that this request makes; never raises on a malformed request.

    `path` and `query` are as they stood on the wire, percent-encoded (WSGI's decoded PATH_INFO would make keys that
    hold "%" ambiguous). `body` may be empty for S3 object uploads; it is read only for JSON and query operations,
    DeleteObjects and form uploads. An operation that isn't known gets the resource "*".
    """
    names = {name.lower(): value for name, value in headers.items()}
    target = names.get("x-amz-target")
    key, region, scope = _signer(names.get("authorization", ""), query)
    if target and "." in target:
        return _json_call(target, key, region, scope, names.get("content-type", ""), body)
    service = _SERVICE_OF_SCOPE.get(scope, scope) or _unsigned_service(host, path)
    if service == "s3":
        return s3_calls.identify(method, host, path, query, names, body, key, region)
    form = _form(names.get("content-type", ""), query, body)
    if "Action" in form:
        return _query_call(service, form, path, key, region)
    if service in ("lambda", "xray", "scheduler"):
        return _rest_json_call(service, method, path, query, key, region, body)
    if not service:
        return s3_calls.identify(method, host, path, query, names, body, key, region)
    unknown: Action = (f"{service}:Unknown", "*", request_context(region))
    return Call(service, "Unknown", key, [unknown], "json-1.1", region, method)


@lru_cache(maxsize=64)
def request_context(region: str) -> Mapping[str, Any]:
    """The condition keys that every local request carries; local traffic counts as secure."""
    return {
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": region,
        "aws:ResourceAccount": ACCOUNT_ID,
        "aws:PrincipalIsAWSService": "false",
        "aws:ViaAWSService": "false",
        "s3:TlsVersion": "1.3",
    }


def _signer(authorization: str, query: str) -> tuple[str | None, str, str]:
    """(access key, region, service) of the signature; from the header, else from a presigned query."""
    if authorization:
        if found := _AUTHORIZATION.search(authorization):
            return found[1], found[2], found[3]
        if old := _SIGV2.match(authorization):
            return old[1], DEFAULT_REGION, "s3"
    if "X-Amz-Credential=" in query or "AWSAccessKeyId=" in query:
        fields = dict(parse_qsl(query, keep_blank_values=True))
        if found := _SCOPE.match(fields.get("X-Amz-Credential", "")):
            return found[1], found[2], found[3]
        return fields.get("AWSAccessKeyId"), DEFAULT_REGION, "s3"
    return None, DEFAULT_REGION, ""


def _unsigned_service(host: str, path: str) -> str:
    if _LAMBDA_PATH.match(path):
        return "lambda"
    found = _NAMED_HOST.match(host)
    name = found[1] if found else ""
    return name if name in service_models.BOTOCORE_NAMES or name == "s3" else ""


def _form(content_type: str, query: str, body: bytes) -> dict[str, str]:
    fields = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    if content_type.startswith(_FORM):
        fields |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return fields


def _json_call(target: str, key: str | None, region: str, scope: str, content_type: str, body: bytes) -> Call:
    prefix, operation = target.rsplit(".", 1)
    service = _SERVICE_OF_TARGET.get(prefix) or _SERVICE_OF_SCOPE.get(scope, scope) or "unknown"
    protocol = "json-1.0" if content_type.endswith("1.0") else "json-1.1"
    return Call(service, operation, key, _actions(service, operation, _json_object(body), region), protocol, region)


def _query_call(service: str, form: dict[str, str], path: str, key: str | None, region: str) -> Call:
    operation = form["Action"]
    if service == "sqs":
        form.setdefault("QueueUrl", path)
    fields = {name: value for name, value in form.items() if "." not in name}
    return Call(service, operation, key, _actions(service, operation, fields, region), "query", region)


def _rest_json_call(service: str, method: str, path: str, query: str, key: str | None, region: str, body: bytes) -> Call:
    operation, path_fields = service_models.rest_operation(service, method, path)
    fields: dict[str, Any] = {**dict(path_fields), **dict(parse_qsl(query))}
    if operation in resource_arns.REST_BODY_NAMES_THE_RESOURCE:
        fields |= _json_object(body)
    return Call(service, operation, key, _actions(service, operation, fields, region), "rest-json", region, method)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body) if body else {}
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _actions(service: str, operation: str, fields: Mapping[str, Any], region: str) -> list[Action]:
    context = request_context(region)
    try:
        return resource_arns.actions(service, operation, fields, region, ACCOUNT_ID, context)
    except (AttributeError, KeyError, TypeError, ValueError):
        # A parameter of the wrong type: the service will refuse the call; until then it needs the widest permission.
        return [(f"{service}:{operation}", "*", context)]
