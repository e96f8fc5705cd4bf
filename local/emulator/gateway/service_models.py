"""Operations, REST routes and errors of the services, from botocore's service models. Models are loaded on first use."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from botocore.model import ServiceModel

BOTOCORE_NAMES = {
    "s3": "s3",
    "dynamodb": "dynamodb",
    "sqs": "sqs",
    "sns": "sns",
    "states": "stepfunctions",
    "lambda": "lambda",
    "rekognition": "rekognition",
    "logs": "logs",
    "events": "events",
    "cloudformation": "cloudformation",
    "ssm": "ssm",
    "sts": "sts",
    "iam": "iam",
    "cloudwatch": "cloudwatch",
    "cognito-idp": "cognito-idp",
    "xray": "xray",
    "kms": "kms",
    "scheduler": "scheduler",
}

# Errors that services return without declaring them in their models, with their HTTP status.
_COMMON_ERRORS = {
    "AccessDenied": 403,
    "AccessDeniedException": 400,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "RequestLimitExceeded": 400,
    "RequestTimeout": 400,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "SlowDown": 503,
    "Throttling": 400,
    "ThrottlingException": 400,
    "TooManyRequestsException": 429,
}


@lru_cache(maxsize=1)
def _session() -> object:
    import botocore.session

    return botocore.session.get_session()


@lru_cache(maxsize=32)
def service_model(service: str) -> ServiceModel:
    """The botocore model of a service. Raises KeyError if the signing name isn't in BOTOCORE_NAMES."""
    return _session().get_service_model(BOTOCORE_NAMES[service])  # type: ignore[attr-defined,no-any-return]


@lru_cache(maxsize=32)
def _errors(service: str) -> dict[str, tuple[str, int]]:
    """Maps the shape name and the code of each modelled error to (code, HTTP status)."""
    known: dict[str, tuple[str, int]] = {}
    shapes: list[Any] = list(service_model(service).error_shapes)
    for shape in shapes:
        raw = shape._shape_model  # shape.metadata lacks "fault"
        status = shape.metadata.get("error", {}).get("httpStatusCode") or (500 if raw.get("fault") else 400)
        known[shape.name] = known[shape.error_code] = (shape.error_code, int(status))
    return known


def wire_error(service: str, name: str) -> tuple[str, int]:
    """(code, HTTP status) of an error that is named by its shape in the model or by its code.

    An error that is neither in the model nor common keeps its name and has status 400.
    """
    if service in BOTOCORE_NAMES and name in (known := _errors(service)):
        return known[name]
    return name, _COMMON_ERRORS.get(name, 400)


def operations(service: str) -> frozenset[str]:
    return frozenset(service_model(service).operation_names)


@lru_cache(maxsize=8)
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    model, routes = service_model(service), []
    for name in model.operation_names:
        http = model.operation_model(name).http
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"].split("?")[0].rstrip("/")))
        pattern = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", pattern)
        routes.append((http["method"], re.compile(pattern + "/?"), name))
    return sorted(routes, key=lambda route: route[1].pattern.count("(?P"))


@lru_cache(maxsize=2048)
def rest_operation(service: str, method: str, path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """(operation, decoded fields of the path) of a REST-JSON request; ("Unknown", ()) if no route matches."""
    for verb, pattern, name in _routes(service):
        if verb == method and (found := pattern.fullmatch(path)):
            return name, tuple((field, unquote(value)) for field, value in found.groupdict().items())
    return "Unknown", ()
