"""Sign-in and the API's gateway on the running stack: real HTTP, real tokens, codes from the mailbox."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import jwt
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from pycognito.aws_srp import AWSSRP

from .running_stack import RunningStack
from .small_stack import eventually

PASSWORD = "Correct-Horse-7"
EVIL = "https://evil.example.com"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def fetch(url: str, method: str = "GET", **headers: str) -> Answer:
    request = Request(url, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urlopen(request) as answer:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())
    except HTTPError as error:
        return Answer(error.code, {name.lower(): value for name, value in error.headers.items()}, error.read())


@pytest.fixture(scope="module")
def outputs(stack: RunningStack) -> dict[str, str]:
    (found,) = stack.client("cloudformation").describe_stacks(StackName="imagewatch")["Stacks"]
    return {entry["OutputKey"]: entry["OutputValue"] for entry in found["Outputs"]}


@pytest.fixture(scope="module")
def web(stack: RunningStack) -> str:
    """The origin of the web app."""
    address: str = fetch(f"{stack.endpoint}/_local/health").document["web"]
    return address


@dataclass(frozen=True)
class Person:
    """Someone with an e-mail address who uses the public operations of the user pool."""

    stack: RunningStack
    outputs: dict[str, str]
    email: str

    @property
    def client(self) -> Any:
        import boto3

        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        return boto3.client("cognito-idp", endpoint_url=self.stack.endpoint, region_name="us-east-1", config=config)

    def code(self) -> str:
        mails = fetch(f"{self.stack.endpoint}/_local/mailbox").document
        text = [mail["body"] for mail in mails if mail["to"] == self.email][-1]
        return re.search(r"\b\d{6}\b", text)[0]  # type: ignore[index]

    def sign_up(self) -> str:
        request = {"ClientId": self.outputs["WebClientId"], "Username": self.email}
        sub: str = self.client.sign_up(**request, Password=PASSWORD)["UserSub"]
        self.client.confirm_sign_up(**request, ConfirmationCode=self.code())
        return sub

    def sign_in(self, password: str = PASSWORD) -> dict[str, Any]:
        pool, client_id = self.outputs["UserPoolId"], self.outputs["WebClientId"]
        tokens: dict[str, Any] = AWSSRP(self.email, password, pool, client_id, client=self.client).authenticate_user()
        return dict(tokens["AuthenticationResult"])


def someone(stack: RunningStack, outputs: dict[str, str]) -> Person:
    return Person(stack, outputs, f"{secrets.token_hex(4)}@example.com")


@pytest.fixture(scope="module")
def ann(stack: RunningStack, outputs: dict[str, str]) -> Person:
    person = someone(stack, outputs)
    person.sign_up()
    return person


@pytest.fixture(scope="module")
def tokens(ann: Person) -> dict[str, Any]:
    return ann.sign_in()


def test_a_person_signs_up_with_the_code_from_the_mailbox_and_calls_the_api(stack: RunningStack, outputs: dict[str, str]) -> None:
    person = someone(stack, outputs)
    sub = person.sign_up()
    answer = fetch(f"{outputs['ApiUrl']}/me", authorization=f"Bearer {person.sign_in()['AccessToken']}")
    assert (answer.status, answer.document["Sub"]) == (200, sub)


def test_a_wrong_password_proves_nothing(ann: Person) -> None:
    with pytest.raises(ClientError, match="Incorrect username or password"):
        ann.sign_in("Wrong-Horse-77")


def test_the_function_refuses_an_address_of_another_domain(stack: RunningStack, outputs: dict[str, str]) -> None:
    request = {"ClientId": outputs["WebClientId"], "Username": "ann@example.net", "Password": PASSWORD}
    with pytest.raises(ClientError) as error:
        someone(stack, outputs).client.sign_up(**request)
    assert error.value.response["Error"]["Code"] == "UserLambdaValidationException"
    assert "Sign up with an address of example.com" in error.value.response["Error"]["Message"]


def test_the_gateway_accepts_access_tokens_only(outputs: dict[str, str], tokens: dict[str, Any]) -> None:
    url = f"{outputs['ApiUrl']}/me"
    head, payload, signature = tokens["AccessToken"].split(".")
    for header in ("", "Bearer abc", f"Bearer {head}.{payload}.{signature[:-6]}AAAAAA", f"Bearer {tokens['RefreshToken']}"):
        answer = fetch(url, **({"authorization": header} if header else {}))
        assert (answer.status, answer.document) == (401, {"message": "Unauthorized"}), header
        assert answer.headers["www-authenticate"].startswith("Bearer")
    answer = fetch(url, authorization=f"Bearer {tokens['IdToken']}")
    assert (answer.status, answer.document) == (403, {"message": "Forbidden"})
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_unknown_paths_and_methods_are_not_found(outputs: dict[str, str], tokens: dict[str, Any]) -> None:
    bearer = f"Bearer {tokens['AccessToken']}"
    unknown_stage = fetch(outputs["ApiUrl"].removesuffix("v1") + "v2/me", authorization=bearer)
    assert (unknown_stage.status, unknown_stage.document) == (404, {"message": "Not Found"})
    unknown_path = fetch(f"{outputs['ApiUrl']}/nothing", authorization=bearer)
    assert (unknown_path.status, unknown_path.headers["content-type"]) == (404, "application/problem+json")
    unknown_method = fetch(f"{outputs['ApiUrl']}/me", "PATCH", authorization=bearer)
    assert (unknown_method.status, unknown_method.headers["allow"]) == (405, "DELETE, GET")


def test_a_revoked_token_is_refused_by_the_pool_and_accepted_by_the_gateway_until_it_expires(
    stack: RunningStack, outputs: dict[str, str]
) -> None:
    """As on AWS: a JWT authorizer checks tokens without calling Cognito."""
    person = someone(stack, outputs)
    person.sign_up()
    access = person.sign_in()["AccessToken"]
    person.client.global_sign_out(AccessToken=access)
    with pytest.raises(ClientError, match="Access Token has been revoked"):
        person.client.get_user(AccessToken=access)
    assert fetch(f"{outputs['ApiUrl']}/me", authorization=access).status == 200


def test_an_independent_library_verifies_the_tokens_with_the_published_keys(tokens: dict[str, Any]) -> None:
    issuer = jwt.decode(tokens["IdToken"], options={"verify_signature": False})["iss"]
    configuration = fetch(f"{issuer}/.well-known/openid-configuration").document
    assert configuration["issuer"] == issuer
    key = jwt.PyJWKClient(configuration["jwks_uri"]).get_signing_key_from_jwt(tokens["IdToken"])
    audience = jwt.decode(tokens["IdToken"], options={"verify_signature": False})["aud"]
    claims = jwt.decode(tokens["IdToken"], key, algorithms=["RS256"], audience=audience, issuer=issuer)
    assert claims["token_use"] == "id"


def test_the_sample_operator_can_sign_in(stack: RunningStack, outputs: dict[str, str]) -> None:
    saved = stack.state / "operator.json"
    account = json.loads(saved.read_text())
    access = Person(stack, outputs, account["email"]).sign_in(account["password"])["AccessToken"]
    assert jwt.decode(access, options={"verify_signature": False})["cognito:groups"] == ["operators"]
    assert saved.stat().st_mode & 0o077 == 0


def test_administrators_operations_need_credentials(ann: Person) -> None:
    with pytest.raises(ClientError) as error:
        ann.client.admin_delete_user(UserPoolId=ann.outputs["UserPoolId"], Username=ann.email)
    assert error.value.response["Error"]["Code"] == "MissingAuthenticationTokenException"


def test_the_api_has_the_web_apps_origin_too(web: str, tokens: dict[str, Any]) -> None:
    answer = fetch(f"{web}/v1/me", authorization=f"Bearer {tokens['AccessToken']}")
    assert answer.status == 200
    assert fetch(f"{web}/v1/me").status == 401


def test_only_the_web_app_may_call_the_api_from_a_browser(outputs: dict[str, str], web: str, tokens: dict[str, Any]) -> None:
    url = f"{outputs['ApiUrl']}/me"
    allowed = fetch(url, "OPTIONS", origin=web, access_control_request_method="GET")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, web)
    other = fetch(url, "OPTIONS", origin=EVIL, access_control_request_method="GET")
    assert not [name for name in other.headers if name.startswith("access-control-")]
    for origin, expected in ((web, web), (EVIL, None)):
        answer = fetch(url, origin=origin, authorization=tokens["AccessToken"])
        assert (answer.status, answer.headers.get("access-control-allow-origin")) == (200, expected)


@pytest.mark.parametrize("output", ["ImagesBucketName", "RenditionsBucketName"])
def test_only_the_web_app_may_read_the_buckets_from_a_browser(
    stack: RunningStack, outputs: dict[str, str], web: str, output: str
) -> None:
    url = stack.client("s3").generate_presigned_url("get_object", Params={"Bucket": outputs[output], "Key": "missing.txt"})
    assert fetch(url, origin=web).headers["access-control-allow-origin"] == web
    assert "access-control-allow-origin" not in fetch(url, origin=EVIL).headers
    allowed = fetch(url, "OPTIONS", origin=web, access_control_request_method="GET")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, web)
    for origin, method in ((EVIL, "GET"), (web, "DELETE"), (web, "PUT")):
        refused = fetch(url, "OPTIONS", origin=origin, access_control_request_method=method)
        assert refused.status == 403
        assert b"AccessForbidden" in refused.body


def test_only_the_web_app_sees_the_answer_to_an_upload_from_a_browser(
    stack: RunningStack, outputs: dict[str, str], web: str
) -> None:
    key = "uploads/browser/cors.txt"
    form = stack.client("s3").generate_presigned_post(outputs["ImagesBucketName"], key)
    for origin, expected in ((web, web), (EVIL, None)):
        answer = requests.post(form["url"], form["fields"], files={"file": b"text"}, headers={"Origin": origin}, timeout=30)
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (204, expected)


def test_browsers_may_call_the_user_pool_from_any_origin(stack: RunningStack) -> None:
    asked = {"origin": EVIL, "access_control_request_method": "POST", "access_control_request_headers": "x-amz-target"}
    answer = fetch(f"{stack.endpoint}/", "OPTIONS", **asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_the_access_log_names_route_and_user(stack: RunningStack, outputs: dict[str, str], ann: Person) -> None:
    access = ann.sign_in()["AccessToken"]
    sub = jwt.decode(access, options={"verify_signature": False})["sub"]
    fetch(f"{outputs['ApiUrl']}/me", authorization=access)
    logs = stack.client("logs")

    def lines() -> list[dict[str, Any]]:
        events = logs.filter_log_events(logGroupName="/aws/vendedlogs/http-api/imagewatch")["events"]
        return [json.loads(event["message"]) for event in events]

    def is_there() -> bool:
        wanted = {"route": "GET /me", "status": "200", "user": sub}
        return any(wanted.items() <= line.items() for line in lines())

    eventually(is_there, "the access log has no line for the request")
