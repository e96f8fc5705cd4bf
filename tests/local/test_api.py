"""The HTTP API on the local stack: real requests through the gateway, with tokens of real sign-ins."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from imagewatch.api.catalogue import OPERATIONS
from imagewatch.api.operation import Operation

from .running_stack import RunningStack
from .signed_in import Person, Reply, SignedIn, with_claims

PORTRAIT = (Path(__file__).parents[2] / "samples" / "astronaut-portrait.jpg").read_bytes()
SECONDS = 60
RULE = {"RuleId": "api-test", "Name": "By the API", "AnyOf": [{"Term": "person"}]}
# A valid request for each operation that needs more than its path. Nothing of it exists.
BODIES: dict[str, Any] = {
    "createUploads": {"Files": [{"Name": "a.jpg", "Size": 1, "ContentType": "image/jpeg", "Sha256": "0" * 64}]},
    "createRule": RULE,
    "changeRule": {**RULE, "RuleId": "no-such-rule"},
    "previewRule": {"Rule": RULE},
    "markAlertWrong": {},
}
IDS = {"image_id": "f" * 32, "alert_id": "f" * 32, "rule_id": "no-such-rule", "channel_id": "no-such-channel"}


@pytest.fixture(scope="module")
def api(stack: RunningStack) -> SignedIn:
    return SignedIn(stack)


@pytest.fixture(scope="module")
def person(api: SignedIn) -> Person:
    return api.person("api-person@example.com")


@pytest.fixture(scope="module")
def operator(api: SignedIn) -> Person:
    return api.person("api-operator@example.com", "operators")


def upload(api: SignedIn, person: Person, name: str = "portrait.jpg") -> dict[str, Any]:
    file = {"Name": name, "Size": len(PORTRAIT), "ContentType": "image/jpeg", "Sha256": hashlib.sha256(PORTRAIT).hexdigest()}
    reply = api.call("POST", "/uploads", person.access_token, body={"Files": [file]})
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.body["Uploads"][0]
    return found


def send(form: dict[str, Any], content: bytes = PORTRAIT, **changes: str) -> int:
    return requests.post(form["Url"], {**form["Fields"], **changes}, files={"file": ("x", content)}, timeout=30).status_code


def eventually(ask: Callable[[], Reply], ready: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not ready((reply := ask()).body):
        assert time.monotonic() < deadline, reply.body
        time.sleep(0.2)
    return reply.body


def test_a_person_uploads_finds_and_deletes_an_image(api: SignedIn, person: Person, operator: Person) -> None:
    stranger = api.person("api-stranger@example.com")
    created = upload(api, person)
    path = f"/images/{created['ImageId']}"
    assert send(created["Form"], PORTRAIT[:-1] + b"x") == 400  # another content
    assert send(created["Form"], PORTRAIT + b"x") == 400  # another size
    assert send(created["Form"], key="people/another/x.jpg") == 403
    assert send(created["Form"], **{"Content-Type": "text/html"}) == 403
    assert send(created["Form"]) == 204

    def states() -> Reply:
        return api.call("GET", "/uploads", person.access_token, {"id": [created["ImageId"]]})

    eventually(states, lambda body: body["Uploads"][0]["Status"] == "ANALYZED")
    again = upload(api, person, "the-same.jpg")
    assert (again["Exists"], again["Status"], again["ImageId"]) == (True, "ANALYZED", created["ImageId"])

    search = {"q": "person"}
    found = eventually(lambda: api.call("GET", "/images", person.access_token, search), lambda body: bool(body["Images"]))
    assert [image["ImageId"] for image in found["Images"]] == [created["ImageId"]]
    assert api.call("GET", "/images", stranger.access_token, search).body["Images"] == []
    assert created["ImageId"] in str(api.call("GET", "/images", operator.access_token, search).body)
    assert api.call("GET", path, stranger.access_token).status == 404
    assert api.call("GET", path, operator.access_token).status == 200

    shown = api.call("GET", path, person.access_token).body
    original, thumbnail = (requests.get(shown["Links"][name], timeout=30) for name in ("Original", "Thumbnail"))
    assert (original.content, thumbnail.headers["Content-Type"]) == (PORTRAIT, "image/jpeg")
    trace = api.call("GET", f"{path}/trace", person.access_token).body
    assert (trace["Status"], trace["Steps"][0]["State"]) == ("SUCCEEDED", "Validate Image")
    assert created["ImageId"] in api.call("GET", "/export", person.access_token, search).body
    counted = eventually(lambda: api.call("GET", "/labels", person.access_token, {"prefix": "per"}), lambda body: body["Labels"])
    assert counted["Labels"][0] == {"Name": "Person", "Images": 1}
    assert api.call("GET", "/labels", stranger.access_token, {"prefix": "per"}).body == {"Labels": []}
    assert api.call("GET", "/images/days", stranger.access_token).body == {"Days": []}

    assert api.call("DELETE", path, stranger.access_token).status == 404
    assert api.call("DELETE", path, person.access_token).body["Versions"] == 1
    assert api.call("GET", path, person.access_token).status == 404
    assert requests.get(shown["Links"]["Original"], timeout=30).status_code in (403, 404)


def test_a_deleted_account_is_gone_with_its_images(api: SignedIn) -> None:
    leaving = api.person("api-leaving@example.com")
    created = upload(api, leaving)
    assert send(created["Form"]) == 204
    assert api.call("DELETE", "/me", leaving.access_token).body == {"Deleted": 1, "Done": True}
    bucket = api.outputs["ImagesBucketName"]
    left = api.stack.client("s3").list_object_versions(Bucket=bucket, Prefix=f"people/{leaving.sub}/")
    assert "Versions" not in left
    with pytest.raises(api.cognito.exceptions.UserNotFoundException):
        api.cognito.admin_get_user(UserPoolId=api.outputs["UserPoolId"], Username=leaving.sub)


def test_other_paths_and_methods_are_refused_without_a_token(api: SignedIn) -> None:
    refused = api.call("PATCH", "/images")
    assert (refused.status, refused.headers["allow"]) == (405, "DELETE, GET")
    assert refused.headers["content-type"] == "application/problem+json"
    assert api.call("GET", "/nothing").status == 404
    assert api.call("GET", "/openapi.json").body["openapi"] == "3.1.0"


# ------------------------------------------------------------------------------------------------- authorization matrix


def ask(api: SignedIn, operation: Operation, token: str | None) -> Reply:
    query = {parameter.name: "f" * 32 if parameter.name == "id" else "1" for parameter in operation.query if parameter.required}
    return api.call(operation.method, operation.path.format(**IDS), token, query, BODIES.get(operation.operation_id))


every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.operation_id)


@every_operation
def test_without_a_valid_access_token_every_route_is_closed(api: SignedIn, operator: Person, operation: Operation) -> None:
    token = operator.access_token
    assert ask(api, operation, None).status == 401
    assert ask(api, operation, "not-a-token").status == 401
    assert ask(api, operation, token[:-8] + "AAAAAAAA").status == 401  # another signature
    assert ask(api, operation, with_claims(token, exp=2_000_000_000)).status == 401
    assert ask(api, operation, with_claims(token, client_id="another-client")).status == 401
    assert ask(api, operation, operator.id_token).status == 403  # has no scope


@every_operation
def test_each_route_is_open_for_those_whom_it_serves(
    api: SignedIn, person: Person, operator: Person, operation: Operation
) -> None:
    if operation.operation_id == "deleteMe":
        pytest.skip("it would delete the account; test_a_deleted_account_is_gone_with_its_images calls it")
    by_person, by_operator = ask(api, operation, person.access_token), ask(api, operation, operator.access_token)
    assert by_operator.status in (200, 201, 400, 404, 409), by_operator.body
    if operation.operators_only:
        assert (by_person.status, by_person.body["title"]) == (403, "Forbidden")
    else:
        assert by_person.status == by_operator.status


def test_a_person_who_signs_out_everywhere_has_access_until_the_token_expires(api: SignedIn) -> None:
    """API Gateway doesn't ask Cognito: API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers"."""
    leaving = api.person("api-signs-out@example.com")
    api.cognito.global_sign_out(AccessToken=leaving.access_token)
    assert api.call("GET", "/me", leaving.access_token).status == 200
