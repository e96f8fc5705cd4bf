"""Sign-in and the API's gateway: what the template must say so that only signed-in users reach a function."""

from __future__ import annotations

from typing import Any

from tools.sam_template import Resolver, Template, load_template

from .conftest import ROOT
from .decided_template import decided

PUBLIC = {"/openapi.json", "$default"}  # the description of the API, and the answer to requests that no route matches
SCOPE = "aws.cognito.signin.user.admin"  # of Cognito's access tokens; its ID tokens have no scope


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: entry for name, entry in template.resources.items() if entry["Type"] == kind}


def api_body(template: Template) -> dict[str, Any]:
    body: dict[str, Any] = template.resources["Api"]["Properties"]["Body"]
    return body


def test_every_route_requires_an_access_token(template: Template) -> None:
    """Scopes exclude ID tokens (Amazon API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers")."""
    paths = api_body(template)["paths"]
    assert paths
    for path, operations in paths.items():
        for method, operation in operations.items():
            expected = [{"NONE": []}] if path in PUBLIC else [{"AccessToken": [SCOPE]}]
            assert operation.get("security") == expected, f"{method} {path}"


def test_tokens_are_those_of_the_user_pools_client(template: Template) -> None:
    (scheme,) = api_body(template)["components"]["securitySchemes"].values()
    configuration = scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    assert configuration == {"issuer": {"Fn::GetAtt": ["UserPool", "ProviderURL"]}, "audience": [{"Ref": "WebClient"}]}


def test_passwords_are_proven_and_not_sent(template: Template) -> None:
    for client in of_type(template, "AWS::Cognito::UserPoolClient").values():
        properties = client["Properties"]
        assert set(properties["ExplicitAuthFlows"]) == {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
        assert (properties["PreventUserExistenceErrors"], properties["EnableTokenRevocation"]) == ("ENABLED", True)


def test_an_access_token_is_short_lived_because_the_gateway_does_not_notice_its_revocation(template: Template) -> None:
    properties = template.resources["WebClient"]["Properties"]
    assert (properties["AccessTokenValidity"], properties["TokenValidityUnits"]["AccessToken"]) == (15, "minutes")


def test_accounts_outlive_the_stack(template: Template) -> None:
    pool = template.resources["UserPool"]
    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"], pool["Properties"]["DeletionProtection"]) == (
        "Retain",
        "Retain",
        "ACTIVE",
    )


def test_sign_up_is_off_unless_the_parameter_allows_it() -> None:
    for parameters, expected in (({}, True), ({"SignUp": "on"}, False)):
        pool = decided(load_template(ROOT / "template.yaml", parameters))["Resources"]["UserPool"]["Properties"]
        assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is expected


def origins(web_url: str) -> set[str]:
    """The origins that the API and the buckets allow."""
    template = load_template(ROOT / "template.yaml", {"WebUrl": web_url})
    resolver = Resolver(template, "us-east-1", lambda name: name, lambda name, attribute: name)
    found = set(resolver.resolve(api_body(template)["x-amazon-apigateway-cors"]["allowOrigins"]))
    for bucket in of_type(template, "AWS::S3::Bucket").values():
        for rule in resolver.resolve(bucket["Properties"]).get("CorsConfiguration", {}).get("CorsRules", []):
            found |= set(rule["AllowedOrigins"])
    return found


def test_browsers_may_call_from_the_web_app_only() -> None:
    for web_url, origin in (
        ("https://images.example.com", "https://images.example.com"),
        ("https://images.example.com/", "https://images.example.com"),
        ("https://example.com:8443/images/app", "https://example.com:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("", "https://no-web-app.invalid"),
    ):
        assert origins(web_url) == {origin}


def test_requests_are_throttled_and_logged(template: Template) -> None:
    for stage in of_type(template, "AWS::ApiGatewayV2::Stage").values():
        limits = stage["Properties"]["DefaultRouteSettings"]
        assert 0 < limits["ThrottlingRateLimit"] <= limits["ThrottlingBurstLimit"]
        assert "\n" not in stage["Properties"]["AccessLogSettings"]["Format"]
        assert stage["Properties"]["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["ApiLogGroup", "Arn"]}
