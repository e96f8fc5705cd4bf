"""CORS of the emulator's buckets: only requests that a rule allows.

Source: Amazon S3 user guide, "Elements of a CORS configuration".
"""

from __future__ import annotations

import pytest

from local.emulator.gateway.http_server import Request, Response
from local.emulator.s3.cors import Rule, preflight, with_cors

APP = "https://app.example.com"
RULE = Rule((APP,), ("GET", "POST"), ("content-type", "x-amz-*"), ("etag",), "600")


def asked(origin: str = APP, method: str = "POST", headers: str = "") -> dict[str, str]:
    found = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return {name: value for name, value in found.items() if value}


def test_a_preflight_that_a_rule_allows_is_answered() -> None:
    answer = preflight([RULE], asked(headers="Content-Type, X-Amz-Meta-Name"))
    assert answer.status == 200
    assert dict(answer.headers) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "content-type, x-amz-meta-name",
        "Access-Control-Expose-Headers": "etag",
        "Access-Control-Max-Age": "600",
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }


@pytest.mark.parametrize(
    "headers",
    [
        asked(origin="https://evil.example.com"),
        asked(origin="http://app.example.com"),
        asked(origin=f"{APP}.evil.example.com"),
        asked(method="DELETE"),
        asked(headers="authorization"),
        asked(headers="content-type, authorization"),
    ],
)
def test_another_preflight_is_refused(headers: dict[str, str]) -> None:
    answer = preflight([RULE], headers)
    assert answer.status == 403
    assert b"<Code>AccessForbidden</Code>" in answer.body
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("rules", [[], None])
def test_a_bucket_without_rules_refuses_every_preflight(rules: list[Rule] | None) -> None:
    answer = preflight(rules, asked())
    assert (answer.status, b"CORS is not enabled for this bucket" in answer.body) == (403, True)


@pytest.mark.parametrize("missing", ["origin", "access-control-request-method"])
def test_an_incomplete_preflight_is_a_bad_request(missing: str) -> None:
    headers = {name: value for name, value in asked().items() if name != missing}
    assert preflight([RULE], headers).status == 400


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", "https://anyone.example.com", "*"),
        ("https://*.example.com", "https://a.example.com", "https://a.example.com"),
        ("https://*.example.com", "https://example.com", None),
    ],
)
def test_an_origin_can_have_a_wildcard(pattern: str, origin: str, allowed: str | None) -> None:
    request = Request("GET", "/bucket/key", {"origin": origin}, [], b"", "")
    sent = Response(200, [("Access-Control-Allow-Origin", "moto"), ("ETag", "x")], b"body")
    answer = with_cors([Rule((pattern,), ("GET",))], request, sent)
    assert dict(answer.headers).get("Access-Control-Allow-Origin") == allowed
    assert (dict(answer.headers)["ETag"], answer.body) == ("x", b"body")


def test_the_first_rule_that_applies_decides() -> None:
    rules = [Rule((APP,), ("GET",), exposed=("first",)), Rule(("*",), ("GET", "POST"), exposed=("second",))]
    for method, expected in (("GET", "first"), ("POST", "second")):
        answer = with_cors(rules, Request(method, "/b", {"origin": APP}, [], b"", ""), Response(200, [], b""))
        assert dict(answer.headers)["Access-Control-Expose-Headers"] == expected
