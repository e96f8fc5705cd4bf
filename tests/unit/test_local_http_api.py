"""The emulator's HTTP APIs: routes, tokens, events, responses, CORS, throttling and access logs, as API Gateway's."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from local.emulator.gateway.http_server import Request, Response
from local.emulator.http_api.access_log import Entry
from local.emulator.http_api.answers import MalformedAnswer, response_of
from local.emulator.http_api.authorizer import Authorized, Refused, authorize
from local.emulator.http_api.cors import preflight, with_cors
from local.emulator.http_api.definition import Authorizer, Cors, HttpApi, Route
from local.emulator.http_api.events import Target, decoded_path, event_for
from local.emulator.http_api.permissions import covers as covers_arn
from local.emulator.http_api.routing import find_route
from local.emulator.http_api.service import check_issuers
from local.emulator.http_api.throttling import Throttle
from tools.sam_template import TemplateError

Json = dict[str, Any]
ARN = "arn:aws:lambda:us-east-1:123456789012:function:images"
ISSUER = "http://localhost/us-east-1_abc"
NOW = 1_800_000_000
SCOPE = "aws.cognito.signin.user.admin"
AUTHORIZER = Authorizer("AccessToken", ISSUER, ("client1",))
GUARDED = Route("GET", "/images", ARN, AUTHORIZER, (SCOPE,))
CORS = Cors(("https://app.example.com",), ("GET", "POST"), ("authorization",), ("location",), 600)


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"}, private=True)


def routes(*keys: str) -> list[Route]:
    return [Route(*key.split(" "), ARN) for key in keys]


def request(method: str = "GET", target: str = "/", body: bytes = b"", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, target, named, list(named.items()), body, "203.0.113.10")


# ------------------------------------------------------------------------------------------------------------- routes


@pytest.mark.parametrize(
    ("method", "path", "expected", "parameters"),
    [
        ("GET", "/images", "GET /images", {}),
        ("GET", "/images/days", "GET /images/days", {}),
        ("GET", "/images/a1", "GET /images/{id}", {"id": "a1"}),
        ("GET", "/images/a1/trace", "GET /images/{id}/trace", {"id": "a1"}),
        ("DELETE", "/images/a1", "ANY /images/{proxy+}", {"proxy": "a1"}),
        ("GET", "/images/a1/b/c", "ANY /images/{proxy+}", {"proxy": "a1/b/c"}),
        ("GET", "/other", None, {}),
        ("POST", "/images", None, {}),
        ("GET", "/images/", None, {}),
        ("GET", "/images/a1/", "ANY /images/{proxy+}", {"proxy": "a1/"}),
    ],
)
def test_the_most_specific_route_serves_a_request(method: str, path: str, expected: str | None, parameters: Json) -> None:
    given = routes("ANY /images/{proxy+}", "GET /images/{id}", "GET /images/{id}/trace", "GET /images/days", "GET /images")
    for order in (given, given[::-1]):
        found = find_route(order, method, path)
        assert (found.route.key if found else None) == expected
        assert (found.parameters if found else {}) == parameters


def test_the_default_route_is_the_last_choice() -> None:
    given = routes("ANY /$default", "GET /a")
    assert find_route(given, "GET", "/a") == find_route(given[::-1], "GET", "/a")
    found = find_route(given, "POST", "/a")
    assert found is not None
    assert found.route.key == "$default"


def test_a_named_method_is_better_than_any() -> None:
    found = find_route(routes("ANY /a", "GET /a"), "GET", "/a")
    assert found is not None
    assert found.route.method == "GET"


def test_a_path_is_decoded_before_it_is_routed() -> None:
    """github.com/hotsock/voker, pull request 8: live captures of API Gateway."""
    assert decoded_path("/images/a%20b%2Fc") == "/images/a b/c"
    assert decoded_path("/images/me%3Fadmin=true") == "/images/me"


# ------------------------------------------------------------------------------------------------------------- tokens


def token(key: RSAKey, kid: str = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    claims = {"iss": ISSUER, "client_id": "client1", "exp": NOW + 900, "iat": NOW, "scope": SCOPE, "sub": "u1", **changes}
    return jwt.encode({"kid": kid, "alg": algorithm}, {k: v for k, v in claims.items() if v is not None}, key)


def checked(key: RSAKey, header: str, now: float = NOW) -> Authorized | None:
    headers = {"authorization": header} if header else {}
    return authorize(GUARDED, headers, lambda issuer: key if issuer == ISSUER else None, now)


def refused(key: RSAKey, header: str, now: float = NOW) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        checked(key, header, now)
    return error.value.status, error.value.challenge


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", ""])
def test_a_valid_token_is_accepted_with_and_without_bearer(key: RSAKey, prefix: str) -> None:
    found = checked(key, prefix + token(key))
    assert found is not None
    assert found.context()["claims"]["sub"] == "u1"


def test_a_request_without_a_token_is_unauthorized(key: RSAKey) -> None:
    assert refused(key, "") == (401, "Bearer")
    assert refused(key, "Bearer ") == (401, "Bearer")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"iss": "https://elsewhere.example.com"}, "issuer"),
        ({"client_id": "client2"}, "audience"),
        ({"client_id": None}, "audience"),
        ({"aud": "client2"}, "audience"),  # aud counts, not client_id, if both are there
        ({"exp": NOW}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "tomorrow"}, "expired"),
        ({"nbf": NOW + 60}, "not valid yet"),
        ({"iat": NOW + 60}, "not valid yet"),
    ],
)
def test_a_token_with_a_wrong_field_is_unauthorized(key: RSAKey, changes: Json, problem: str) -> None:
    status, challenge = refused(key, f"Bearer {token(key, **changes)}")
    assert status == 401
    assert challenge.startswith(f'Bearer scope="{SCOPE}" error="invalid_token" error_description="')
    assert problem in challenge


def test_a_token_with_another_signature_is_unauthorized(key: RSAKey) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    head, payload, signature = token(key).split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').decode().rstrip("=")
    for forged in (token(stranger), f"{head}.{payload}.{signature[:-4]}AAAA", f"{unsigned}.{payload}.", "abc", "a.b.c"):
        assert refused(key, f"Bearer {forged}")[0] == 401
    assert refused(key, f"Bearer {token(key, kid='k2')}")[0] == 401


def test_a_symmetric_signature_with_the_public_key_is_unauthorized(key: RSAKey) -> None:
    import hmac as mac

    public = key.as_pem(private=False)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=")
    payload = token(key).split(".")[1].encode()
    signature = base64.urlsafe_b64encode(mac.digest(public, head + b"." + payload, "sha256")).rstrip(b"=")
    assert refused(key, f"Bearer {(head + b'.' + payload + b'.' + signature).decode()}")[0] == 401


@pytest.mark.parametrize("scope", [None, "", "openid", "aws.cognito.signin.user.admin2", ["openid"]])
def test_a_token_without_the_routes_scope_is_forbidden(key: RSAKey, scope: Any) -> None:
    expected = f'Bearer scope="{SCOPE}" error="insufficient_scope" error_description="expected scopes: [{SCOPE}]"'
    assert refused(key, f"Bearer {token(key, scope=scope)}") == (403, expected)


@pytest.mark.parametrize("changes", [{"scope": f"openid {SCOPE}"}, {"scope": None, "scp": [SCOPE]}])
def test_one_of_the_routes_scopes_is_enough(key: RSAKey, changes: Json) -> None:
    assert checked(key, token(key, **changes)) is not None


def test_a_route_without_an_authorizer_needs_no_token(key: RSAKey) -> None:
    assert authorize(Route("GET", "/", ARN), {}, lambda issuer: key, NOW) is None


def test_claims_reach_the_function_as_texts(key: RSAKey) -> None:
    found = checked(key, token(key, **{"cognito:groups": ["a", "b"], "flag": True}))
    assert found is not None
    context = found.context()
    claims = context["claims"]
    assert (claims["cognito:groups"], claims["flag"], claims["exp"]) == ("[a b]", "true", str(NOW + 900))
    assert context["scopes"] == [SCOPE]


# ------------------------------------------------------------------------------------------------- events and answers


def built(sent: Request, path: str = "/images/a b", authorized: Authorized | None = None) -> Json:
    target = Target("api1", "v1", path, Route("GET", "/images/{id}", ARN), {"id": "a b"}, "request1")
    return event_for(sent, target, authorized)


def test_an_event_has_payload_format_2() -> None:
    sent = request(target="/_api/api1/v1/images/a%20b?q=%22car%22&tag=x&tag=y&empty=", host="localhost:4566", cookie="a=1; b=2")
    event = built(sent)
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "GET /images/{id}", "/v1/images/a b")
    assert event["rawQueryString"] == "q=%22car%22&tag=x&tag=y&empty="
    assert event["queryStringParameters"] == {"q": '"car"', "tag": "x,y", "empty": ""}
    assert event["pathParameters"] == {"id": "a b"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["http"]["method"]) == ("v1", "api1", "GET")
    assert context["http"]["sourceIp"] == "203.0.113.10"
    assert "authorizer" not in context
    assert "body" not in event


def test_an_event_carries_the_checked_token() -> None:
    context = built(request(), authorized=Authorized({"sub": "u1"}, (SCOPE,)))["requestContext"]
    assert context["authorizer"] == {"jwt": {"claims": {"sub": "u1"}, "scopes": [SCOPE]}}


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("application/json; charset=utf-8", b'{"a": 1}', False),
        ("text/csv", "\u00e9".encode(), False),
        ("image/jpeg", b"\xff\xd8\xff", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("", b"abc", True),
    ],
)
def test_a_body_that_is_not_text_is_in_base_64(kind: str, body: bytes, encoded: bool) -> None:
    event = built(request("POST", body=body, content_type=kind))
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_a_full_answer_becomes_the_response() -> None:
    answer = {"statusCode": 201, "headers": {"Content-Type": "image/png", "X-N": 3}, "cookies": ["a=1", "b=2"]}
    body = {"body": base64.b64encode(b"\x89PNG").decode(), "isBase64Encoded": True}
    response = response_of(json.dumps({**answer, **body}).encode())
    assert (response.status, response.body) == (201, b"\x89PNG")
    expected = [("content-type", "image/png"), ("x-n", "3"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    assert response.headers == expected


def test_an_answer_without_a_status_is_the_body() -> None:
    for answer in ({"a": 1}, [1], "text", None):
        response = response_of(json.dumps(answer).encode())
        assert (response.status, json.loads(response.body)) == (200, answer)
        assert response.headers == [("content-type", "application/json")]


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "soon"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
    ],
)
def test_a_malformed_answer_is_refused(answer: Json) -> None:
    with pytest.raises(MalformedAnswer):
        response_of(json.dumps(answer).encode())


# --------------------------------------------------------------------------------------------------------------- CORS


def test_a_preflight_from_the_web_app_is_answered() -> None:
    headers = {"origin": "https://app.example.com", "access-control-request-method": "POST"}
    answer = preflight(CORS, headers)
    assert answer.status == 204
    assert dict(answer.headers) == {
        "access-control-allow-origin": "https://app.example.com",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize("origin", ["https://evil.example.com", "http://app.example.com", "https://app.example.com:444", "null"])
def test_another_origin_gets_no_cors_headers(origin: str) -> None:
    assert preflight(CORS, {"origin": origin, "access-control-request-method": "GET"}).headers == []
    answer = with_cors(CORS, {"origin": origin}, Response(200, [("access-control-allow-origin", "*"), ("a", "b")], b""))
    assert answer.headers == [("a", "b")]


def test_the_gateways_headers_replace_the_functions() -> None:
    sent = Response(200, [("Access-Control-Allow-Origin", "*"), ("a", "b")], b"")
    answer = with_cors(CORS, {"origin": "https://app.example.com"}, sent)
    assert answer.headers == [
        ("a", "b"),
        ("access-control-allow-origin", "https://app.example.com"),
        ("access-control-expose-headers", "location"),
    ]


# ------------------------------------------------------------------------------------------------------------ the rest


def test_requests_beyond_burst_and_rate_are_refused() -> None:
    now = [0.0]
    throttle = Throttle(rate=2, burst=3, now=lambda: now[0])
    assert [throttle.admits() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [throttle.admits() for _ in range(2)] == [True, False]
    now[0] = 60
    assert [throttle.admits() for _ in range(4)] == [True, True, True, False]


def test_an_access_log_has_the_templates_format() -> None:
    entry = Entry()
    entry.set({"status": 200, "authorizer.claims.sub": "u1", "path": '/a"b', "error.message": None})
    line = entry.line(
        '{"s":"$context.status","u":"$context.authorizer.claims.sub","p":"$context.path","e":"$context.error.message"}'
    )
    assert json.loads(line) == {"s": "200", "u": "u1", "p": '/a"b', "e": "-"}


@pytest.mark.parametrize(
    ("pattern", "arn", "covers"),
    [
        (None, "any", True),
        ("x:api/*/GET/images", "x:api/v1/GET/images", True),
        ("x:api/*/GET/images/*", "x:api/v1/GET/images/{id}", True),
        ("x:api/*/GET/images/*/trace", "x:api/v1/GET/images/{id}/trace", True),
        ("x:api/*/GET/images", "x:api/v1/POST/images", False),
        ("x:other/*/GET/images", "x:api/v1/GET/images", False),
        ("x:api/*/GET/images", "x:api/v1/GET/images/days", False),
    ],
)
def test_a_permission_covers_its_routes_only(pattern: str | None, arn: str, covers: bool) -> None:
    assert covers_arn(pattern, arn) is covers


def operation(**changes: Any) -> Json:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{ARN}/invocations"
    return {"x-amazon-apigateway-integration": {"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": uri, **changes}}


def body(**changes: Any) -> Json:
    scheme = {"type": "jwt", "jwtConfiguration": {"issuer": ISSUER, "audience": ["client1"]}}
    schemes = {"securitySchemes": {"AccessToken": {"x-amazon-apigateway-authorizer": scheme}}}
    guarded = {**operation(), "security": [{"AccessToken": [SCOPE]}]}
    return {"openapi": "3.0.1", "components": schemes, "paths": {"/images": {"get": guarded, "post": operation()}}, **changes}


def test_routes_are_read_from_the_document() -> None:
    first, second = HttpApi.of("api1", "arn", body()).routes
    assert (first.key, first.authorizer, first.scopes, first.function_arn) == ("GET /images", AUTHORIZER, (SCOPE,), ARN)
    assert (second.key, second.authorizer) == ("POST /images", None)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (body(paths={"/a": {"get": operation(type="http_proxy")}}), "only functions"),
        (body(paths={"/a": {"get": operation(payloadFormatVersion="1.0")}}), "only functions"),
        (body(paths={"/a": {"get": {**operation(), "security": [{"Other": []}]}}}), "Other isn't defined"),
        (body(paths={"/a": {"subscribe": operation()}}), "doesn't support subscribe"),
        (body(**{"x-amazon-apigateway-importexport-version": "1.0"}), "x-amazon-apigateway-importexport-version"),
        (body(components={"securitySchemes": {"Key": {"type": "apiKey"}}}), "only JWT authorizers"),
    ],
)
def test_what_is_not_supported_is_named(document: Json, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        HttpApi.of("api1", "arn", document)


def test_an_issuer_that_is_no_user_pool_of_the_stack_is_named() -> None:
    api = HttpApi.of("api1", "arn", body())
    check_issuers([api], {ISSUER})
    with pytest.raises(TemplateError, match="only its user pools as issuers"):
        check_issuers([api], {"http://localhost/us-east-1_other"})
