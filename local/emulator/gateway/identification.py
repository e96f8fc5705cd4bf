"""Identifies the AWS operation of an HTTP request, its caller, and the IAM actions and resources that it needs.

Sources: botocore for the protocols (`X-Amz-Target`, `Action=`, REST paths, SigV4's credential scope); the AWS Service
Authorization Reference for actions and resources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from local.emulator.gateway import resource_arns, s3_calls, service_models
from local.emulator.gateway.call import DEFAULT_REGION, Action, Call, request_context
from tools.sam_template import ACCOUNT_ID

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


def identify(method: str, host: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Identify a request. Never raises for a malformed request; an unknown operation needs the resource "*".

    `path` and `query` are percent-encoded as sent; decoded paths would be ambiguous for keys that contain "%". `body` is
    used for JSON and query operations, DeleteObjects and form uploads only, and may be empty for S3 object uploads.
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


def _signer(authorization: str, query: str) -> tuple[str | None, str, str]:
    """(access key, region, service) of the signature in the header, or in a presigned URL's query."""
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
    if operation in resource_arns.RESOURCE_IN_REST_BODY:
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
        # A parameter has the wrong type. The service will refuse the call; the check requires the widest permission.
        return [(f"{service}:{operation}", "*", context)]
