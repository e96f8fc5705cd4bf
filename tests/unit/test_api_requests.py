"""The base of the HTTP API: requests are read strictly, and every error is a problem document."""

from __future__ import annotations

import json
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from imagewatch.api import parameters, problems
from imagewatch.api.dispatch import Api, Reply
from imagewatch.api.operation import IMAGE_ID, Answer, Operation, Parameter
from imagewatch.api.request import Request
from imagewatch.api.viewer import groups_in
from imagewatch.errors import InvalidQuery, Throttled, Unavailable
from imagewatch.rules.fields import Declaration, Field, FieldReader, Place, whole
from tests.api_events import SUB, api_event, body_of, claims

CONTEXT = SimpleNamespace(
    aws_request_id="lambda-request",
    function_name="api",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:::function:api",
    get_remaining_time_in_millis=lambda: 20_000,
)
AMOUNT = Field("Amount", whole(1, 5), required=True)
BODY = Declaration("a mapping with Amount", (AMOUNT,))
THINGS = Operation(
    "GET",
    "/things",
    "listThings",
    "Lists things",
    Answer("Things."),
    query=(parameters.limit(50, 100), parameters.MIN_CONFIDENCE, Parameter("day", parameters.DAY, "A day.")),
)
THING = Operation("GET", "/things/{image_id}", "getThing", "Shows a thing", Answer("A thing."), ids={"image_id": IMAGE_ID})
MANY = Operation("DELETE", "/things", "deleteThings", "Deletes things", Answer("Done."), query=(parameters.IMAGE_IDS,))
MAKE = Operation("POST", "/things", "makeThing", "Makes a thing", Answer("Made.", {}, HTTPStatus.CREATED), body=BODY)
SECRET = Operation("GET", "/secrets", "listSecrets", "Lists secrets", Answer("Secrets."), operators_only=True)


def make(request: Request) -> Any:
    fields = FieldReader(Place(label="The body"), request.body, BODY)
    amount = fields.take(AMOUNT)
    fields.finish()
    return {"Made": amount}


def call(serve: Any = lambda request: dict(request.query), **event: Any) -> dict[str, Any]:
    api = Api(
        {
            THINGS: serve,
            THING: lambda request: dict(request.ids),
            MANY: lambda request: {"Ids": list(request.query["id"])},
            MAKE: make,
            SECRET: lambda _: {"Secret": True},
        }
    )
    return api.resolve(api_event(event.pop("method", "GET"), event.pop("path", "/things"), **event), CONTEXT)  # type: ignore[arg-type]


def refused(answer: dict[str, Any]) -> dict[str, Any]:
    """The problem document of an answer, after the checks that hold for each."""
    document: dict[str, Any] = body_of(answer)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["statusCode"] == document["status"]
    assert document["title"] == HTTPStatus(document["status"]).phrase
    assert document["type"].startswith("urn:imagewatch:problem:")
    assert document["RequestId"] == "lambda-request"
    assert "Traceback" not in answer["body"]
    return document


def test_parameters_are_read_as_their_kinds_and_left_out_ones_have_their_defaults() -> None:
    answer = call(query={"limit": "7", "day": "2026-11-20"})
    assert answer["statusCode"] == 200
    assert body_of(answer) == {"limit": 7, "min_confidence": 0.0, "day": "2026-11-20"}
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", "101"), ("limit", "1.5"), ("limit", "-1"), ("limit", " 7"), ("limit", ""), ("limit", "\uff17"),
        ("min_confidence", "101"), ("min_confidence", "nan"), ("min_confidence", "1e1"), ("min_confidence", "inf"),
        ("day", "2026-13-01"), ("day", "20261120"), ("day", "2026-11-20T00:00"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_a_mistake_with_its_parameter(name: str, value: str) -> None:
    document = refused(call(query={name: value}))
    assert document["status"] == 400
    (mistake,) = document["errors"]
    assert mistake["parameter"] == name
    assert mistake["detail"].startswith(f"{name} must be ")


def test_every_mistake_of_the_query_is_reported_at_once() -> None:
    document = refused(call(query=[("limit", "x"), ("colour", "red"), ("day", "1"), ("day", "2")]))
    assert {mistake["parameter"] for mistake in document["errors"]} == {"limit", "colour", "day"}


@pytest.mark.parametrize("number", [1, 2, 100])
def test_a_repeated_parameter_has_all_its_values_once(number: int) -> None:
    ids = [f"{n:032x}" for n in range(number)]
    answer = call(method="DELETE", query={"id": [*ids, ids[0]][:100]})
    assert body_of(answer) == {"Ids": ids}


def test_more_than_a_hundred_ids_are_refused_and_so_is_none() -> None:
    assert refused(call(method="DELETE", query={"id": [f"{n:032x}" for n in range(101)]}))["status"] == 400
    assert refused(call(method="DELETE"))["errors"][0]["parameter"] == "id"


@pytest.mark.parametrize("path", ["/things/short", "/things/" + "G" * 32, "/things/" + "a" * 33, "/things/..%2f"])
def test_what_cannot_be_an_id_is_the_id_of_nothing(path: str) -> None:
    assert refused(call(path=path))["status"] == 404


def test_an_id_is_passed_to_the_operation() -> None:
    assert body_of(call(path=f"/things/{'a' * 32}")) == {"image_id": "a" * 32}


def test_a_body_is_read_with_the_declarations_status() -> None:
    answer = call(method="POST", body={"Amount": 3})
    assert (answer["statusCode"], body_of(answer)) == (201, {"Made": 3})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"Amount": 6}, "#/Amount"), ({}, "#/Amount"), ({"Amount": "3"}, "#/Amount"), ({"Amount": True}, "#/Amount"),
        ({"Amount": 3, "a/b~c": 1}, "#/a~1b~0c"), ([], "#"), ("null", "#"), ('{"Amount": NaN}', "#"), ("{", "#"),
        ("[" * 100_000, "#"),
        ('{"Amount": 1e999}', "#/Amount"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_body_has_a_pointer_to_it(body: Any, pointer: str) -> None:
    document = refused(call(method="POST", body=body))
    assert document["status"] == 400
    assert [mistake["pointer"] for mistake in document["errors"]] == [pointer]


@pytest.mark.parametrize("media_type", ["text/plain", "", "application/xml", "multipart/form-data; boundary=x"])
def test_a_body_of_another_media_type_is_refused(media_type: str) -> None:
    answer = call(method="POST", body={"Amount": 3}, headers={"content-type": media_type})
    assert refused(answer)["status"] == 415


def test_a_body_that_the_gateway_has_encoded_is_decoded() -> None:
    event = api_event("POST", "/things", body="eyJBbW91bnQiOiAyfQ==")
    answer = Api({MAKE: make}).resolve({**event, "isBase64Encoded": True}, CONTEXT)  # type: ignore[arg-type]
    assert body_of(answer) == {"Made": 2}


def test_a_body_for_an_operation_without_one_is_refused() -> None:
    assert refused(call(body={"Amount": 3}))["status"] == 400


def test_only_operators_may_call_an_operation_for_operators() -> None:
    assert refused(call(path="/secrets"))["status"] == 403
    assert refused(call(path="/secrets", user=claims(SUB, "operators-of-nothing", "x")))["status"] == 403
    assert body_of(call(path="/secrets", user=claims(SUB, "other", "operators"))) == {"Secret": True}


@pytest.mark.parametrize(
    "user",
    [{}, claims(token_use="id"), claims(""), claims("../other"), {**claims(), "token_use": ""}, claims("a" * 65)],
)
def test_a_token_that_is_not_a_persons_access_token_is_refused(user: dict[str, str]) -> None:
    answer = call(user=user)
    assert refused(answer)["status"] == 401
    assert answer["headers"]["WWW-Authenticate"] == "Bearer"


def test_an_event_without_an_authorizer_is_refused() -> None:
    event = api_event("GET", "/things")
    del event["requestContext"]["authorizer"]
    assert refused(Api({THINGS: lambda _: {}}).resolve(event, CONTEXT))["status"] == 401  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "groups"), [("[a b]", {"a", "b"}), ("", set()), (["a"], {"a"}), ("[a]", {"a"}), ("[a, b]", {"a", "b"})]
)
def test_groups_are_read_as_the_gateway_writes_them(written: Any, groups: set[str]) -> None:
    assert groups_in(written) == groups


def failing(error: Exception) -> Any:
    def serve(_: Request) -> Any:
        raise error

    return serve


def test_a_mistake_in_a_query_names_its_position() -> None:
    document = refused(call(failing(InvalidQuery("This closes nothing.", 4))))
    assert document["errors"] == [{"detail": "This closes nothing.", "parameter": "q", "position": 4}]


@pytest.mark.parametrize(("error", "wait"), [(Throttled("secret-table", 7.5), "7"), (Unavailable("secret-table"), "2")])
def test_a_transient_error_asks_for_a_retry_and_hides_its_cause(error: Exception, wait: str) -> None:
    answer = call(failing(error))
    assert refused(answer)["status"] == 503
    assert answer["headers"]["Retry-After"] == wait
    assert "secret-table" not in answer["body"]


@pytest.mark.parametrize("error", [KeyError("SECRET"), ZeroDivisionError("SECRET"), RuntimeError("SECRET")])
def test_an_unexpected_error_hides_its_cause(error: Exception) -> None:
    answer = call(failing(error))
    assert refused(answer)["status"] == 500
    assert "SECRET" not in json.dumps(answer)


def test_a_reply_has_its_own_media_type_and_headers() -> None:
    answer = call(lambda _: Reply("a,b\r\n", "text/csv", {"Content-Disposition": "attachment"}))
    assert (answer["body"], answer["headers"]["Content-Type"]) == ("a,b\r\n", "text/csv")
    assert answer["headers"]["Content-Disposition"] == "attachment"


def test_pointers_are_escaped_as_rfc_6901_says() -> None:
    assert problems.pointer(()) == "#"
    assert problems.pointer(("Files", 0, "a/b", "m~n", "c%d", 'k"l', " ")) == "#/Files/0/a~1b/m~0n/c%25d/k%22l/%20"
