"""Calls the functions of the HTTP API as its gateway does. Every answer is checked against the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from imagewatch.api.openapi import document
from tests.api_events import SUB, api_event, claims

from .conftest import Stack

OPERATORS = claims("0b0b0b0b-7c4b-4d0f-9a53-0d3f2a1b6c7d", "operators")
PERSON = claims(SUB)


@dataclass
class Reply:
    """An answer, parsed."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def pointers(self) -> list[str]:
        """Where the mistakes of the request are: JSON pointers and names of parameters."""
        return [str(mistake.get("pointer") or mistake.get("parameter")) for mistake in self.body["errors"]]


def call(
    stack: Stack,
    method: str,
    path: str,
    query: Any = (),
    body: Any = None,
    user: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Calls the function whose route matches. `user` has the claims of the token; the default is a person."""
    pattern = path_pattern(path, method)
    event = api_event(method, path, query, body, PERSON if user is None else user, headers)
    answer = stack.handler(function_of(stack, method, pattern))(event)
    reply = Reply(answer["statusCode"], answer["body"], answer["headers"])
    media_type = reply.headers["Content-Type"].partition(";")[0]
    if media_type.endswith("json"):
        reply.body = json.loads(answer["body"])
    check(method, pattern, reply.status, media_type, reply.body)
    return reply


def check(method: str, pattern: str, status: int, media_type: str, body: Any) -> None:
    """The document has this status with this media type, and the body has its schema."""
    responses = document()["paths"][pattern][method.lower()]["responses"]
    assert str(status) in responses, f"{method} {pattern} answered {status}: {body}"
    response = responses[str(status)]
    if "$ref" in response:
        response = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"][media_type]["schema"]
    errors = sorted(validator(json.dumps(schema)).iter_errors(body), key=lambda error: list(map(str, error.absolute_path)))
    assert not errors, f"{method} {pattern}, {status}: {errors[0].json_path} {errors[0].message[:300]}"


@cache
def validator(schema: str) -> Draft202012Validator:
    """Of a schema in JSON, whose references lead to the document's components."""
    whole = {**json.loads(schema), "components": document()["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def path_pattern(path: str, method: str) -> str:
    """The document's path that a real path matches; one without parameters comes first."""
    for pattern in sorted(document()["paths"], key=lambda one: "{" in one):
        if method.lower() in document()["paths"][pattern] and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return str(pattern)
    raise AssertionError(f"no operation {method} {path}")


def function_of(stack: Stack, method: str, pattern: str) -> str:
    """The function (without "Function") to which the deployed API sends this route."""
    (api,) = (one for one in stack.template.resources.values() if one["Type"] == "AWS::ApiGatewayV2::Api")
    route = api["Properties"]["Body"]["paths"][pattern][method.lower()]
    (name,) = re.findall(r"\$\{(\w+)Function\.Arn\}", json.dumps(route["x-amazon-apigateway-integration"]["uri"]))
    return str(name)
