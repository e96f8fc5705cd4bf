"""Api Root: the OpenAPI document, and what a request gets that no route matches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api_events import api_event

from .conftest import Stack


def ask(stack: Stack, method: str, path: str) -> Any:
    event = api_event(method, path)
    del event["requestContext"]["authorizer"]
    return stack.handler("ApiRoot")(event)


def test_the_document_is_the_generated_one(stack: Stack) -> None:
    answer = ask(stack, "GET", "/openapi.json")
    assert answer["statusCode"] == 200
    readable = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert json.loads(answer["body"]) == json.loads(readable.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/images", "DELETE, GET"),
        ("POST", f"/images/{'a' * 32}", "DELETE, GET"),
        ("PATCH", "/watchlist/preview", "DELETE, GET, POST, PUT"),
        ("POST", "/openapi.json", "GET"),
        ("HEAD", "/me", "DELETE, GET"),
    ],
)
def test_another_method_is_answered_with_the_methods_that_there_are(stack: Stack, method: str, path: str, allowed: str) -> None:
    answer = ask(stack, method, path)
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allowed)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(answer["body"])["title"] == "Method Not Allowed"


@pytest.mark.parametrize("path", ["/", "/imagesx", "/images/", "/images/a/b/c", "/v1/images", "/IMAGES", "/images/a\n"])
def test_an_unknown_path_is_not_found(stack: Stack, path: str) -> None:
    answer = ask(stack, "GET", path)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (404, "application/problem+json")


def test_a_preflight_request_is_left_to_the_gateway(stack: Stack) -> None:
    assert ask(stack, "OPTIONS", "/images") == {"statusCode": 204}
