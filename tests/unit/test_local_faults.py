"""Injected faults: requested over HTTP, and applied to exactly the matching calls."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.emulator.gateway.faults import Fault, Faults

THROTTLE = {"service": "rekognition", "operation": "DetectLabels", "error": "ProvisionedThroughputExceededException"}


def _post(faults: Faults, **asked: Any) -> tuple[int, Any]:
    return faults.handle("POST", json.dumps(asked))


def test_a_fault_with_a_count_applies_to_that_many_calls() -> None:
    faults = Faults()
    assert _post(faults, **THROTTLE, count=2)[0] == 201

    met = [faults.match("rekognition", "DetectLabels") for _ in range(3)]

    assert met[0] == met[1] == Fault(THROTTLE["error"], met[0].message if met[0] else "", 400, 0.0)
    assert met[2] is None


def test_other_services_and_operations_are_not_affected() -> None:
    faults = Faults()
    _post(faults, **THROTTLE, count=1)

    assert faults.match("rekognition", "DetectModerationLabels") is None
    assert faults.match("dynamodb", "PutItem") is None


def test_a_star_means_any_operation() -> None:
    faults = Faults()
    _post(faults, service="dynamodb", operation="*", error="InternalServerError", rate=1)

    fault = faults.match("dynamodb", "PutItem")

    assert fault is not None
    assert fault.status == 500


def test_a_fault_can_be_restricted_to_one_image() -> None:
    faults = Faults()
    _post(faults, **THROTTLE, rate=1, match="front-door/")

    assert faults.match("rekognition", "DetectLabels", "*", "arn:aws:s3:::photos/uploads/garden/a.jpg") is None
    assert faults.match("rekognition", "DetectLabels", "*", "arn:aws:s3:::photos/uploads/front-door/a.jpg")


def test_a_fault_matches_the_image_in_the_body_if_the_arn_is_a_tables() -> None:
    faults = Faults()
    _post(faults, service="dynamodb", operation="UpdateItem", error="InternalServerError", rate=1, match="0123abcd")
    table = "arn:aws:dynamodb:us-east-1:1:table/Images"

    assert faults.match("dynamodb", "UpdateItem", table, body=b'{"Key": {"ImageId": {"S": "99"}}}') is None
    assert faults.match("dynamodb", "UpdateItem", table, body=b'{"Key": {"ImageId": {"S": "0123abcd"}}}')


def test_all_texts_to_match_must_occur() -> None:
    faults = Faults()
    _post(faults, service="lambda", operation="Invoke", error="ServiceException", rate=1, match=["Store", "0123abcd"])

    assert faults.match("lambda", "Invoke", "StoreAnalysis", body=b'{"ImageId": "99"}') is None
    assert faults.match("lambda", "Invoke", "DetectLabels", body=b'{"ImageId": "0123abcd"}') is None
    assert faults.match("lambda", "Invoke", "StoreAnalysis", body=b'{"ImageId": "0123abcd"}')


def test_a_crash_can_wait_for_calls_and_lists_the_killed_workers() -> None:
    faults = Faults()
    _post(faults, service="lambda", operation="Invoke", error="Crash", count=1, after_calls=3)

    crash = faults.match("lambda", "Invoke", "StoreAnalysis")

    assert crash is not None
    assert crash.after_calls == 3
    crash.deaths.append({"function": "StoreAnalysis", "calls": []})
    (shown,) = faults.handle("GET")[1]
    assert (shown["after_calls"], shown["deaths"]) == (3, [{"function": "StoreAnalysis", "calls": []}])


def test_the_same_seed_makes_the_same_calls_fail() -> None:
    def met() -> list[bool]:
        faults = Faults()
        _post(faults, **THROTTLE, rate=0.3, seed=7)
        return [faults.match("rekognition", "DetectLabels") is not None for _ in range(200)]

    first = met()

    assert first == met()
    assert 30 < sum(first) < 90


def test_threads_share_a_count_without_losing_one() -> None:
    faults = Faults()
    _post(faults, **THROTTLE, count=50)

    with ThreadPoolExecutor(8) as pool:
        met = list(pool.map(lambda _: faults.match("rekognition", "DetectLabels") is not None, range(400)))

    assert sum(met) == 50


@pytest.mark.parametrize(
    ("service", "error", "code", "status"),
    [
        ("rekognition", "ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException", 400),
        ("rekognition", "InternalServerError", "InternalServerError", 500),
        ("sns", "ThrottledException", "Throttled", 429),
        ("sns", "InternalErrorException", "InternalError", 500),
        ("lambda", "TooManyRequestsException", "TooManyRequestsException", 429),
        ("lambda", "ServiceException", "ServiceException", 500),
        ("s3", "SlowDown", "SlowDown", 503),
        ("states", "StateMachineDoesNotExist", "StateMachineDoesNotExist", 400),
        ("dynamodb", "Unheard", "Unheard", 400),
    ],
)
def test_code_and_status_of_an_error_come_from_the_services_model(service: str, error: str, code: str, status: int) -> None:
    faults = Faults()
    _post(faults, service=service, operation="*", error=error, count=1)

    fault = faults.match(service, "Anything")

    assert fault is not None
    assert (fault.code, fault.status) == (code, status)


def test_message_status_and_delay_can_be_chosen() -> None:
    faults = Faults()
    _post(faults, **THROTTLE, count=1, message="S3 download limit exceeded", status=429, delay_seconds=1.5)

    expected = Fault("ProvisionedThroughputExceededException", "S3 download limit exceeded", 429, 1.5)
    assert faults.match("rekognition", "DetectLabels") == expected


def test_a_lambda_worker_can_be_killed_or_delayed() -> None:
    faults = Faults()
    _post(faults, service="lambda", operation="Invoke", error="Crash", count=1, match="DetectLabels")
    _post(faults, service="lambda", operation="Invoke", error="Timeout", count=1, delay_seconds=70)

    crash = faults.match("lambda", "Invoke", "arn:aws:lambda:us-east-1:1:function:DetectLabels")
    hang = faults.match("lambda", "Invoke", "arn:aws:lambda:us-east-1:1:function:Other")

    assert crash is not None
    assert crash.code == "Crash"
    assert hang is not None
    assert (hang.code, hang.delay_seconds) == ("Timeout", 70.0)


def test_lists_the_active_faults_with_their_hits() -> None:
    faults = Faults()
    _post(faults, **THROTTLE, count=2)
    faults.match("rekognition", "DetectLabels")

    status, listed = faults.handle("GET")

    assert status == 200
    assert [(rule["operation"], rule["count"], rule["hits"]) for rule in listed] == [("DetectLabels", 1, 1)]


def test_removes_one_or_all() -> None:
    faults = Faults()
    number = _post(faults, **THROTTLE, count=2)[1]["id"]
    _post(faults, **THROTTLE, rate=0.5)

    assert faults.handle("DELETE", json.dumps({"id": number})) == (200, {"removed": 1})
    assert faults.handle("DELETE") == (200, {"removed": 1})
    assert faults.match("rekognition", "DetectLabels") is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"service": "ec2"}, "service"),
        ({"service": None}, "service"),
        ({"operation": "DetectLabel"}, "operation"),
        ({"operation": ""}, "operation"),
        ({"error": 5}, "error"),
        ({"error": "Crash"}, "error"),
        ({"error": "Timeout"}, "delay_seconds"),
        ({"count": 0}, "count"),
        ({"count": True}, "count"),
        ({"rate": 0.5}, "rate"),
        ({"count": None}, "count"),
        ({"status": 200}, "status"),
        ({"delay_seconds": -1}, "delay_seconds"),
        ({"delay_seconds": "5"}, "delay_seconds"),
        ({"match": 1}, "match"),
        ({"match": ["a", 1]}, "match"),
        ({"message": 1}, "message"),
        ({"seed": "x"}, "seed"),
        ({"after_calls": 1}, "after_calls"),
        ({"service": "lambda", "operation": "Invoke", "error": "Crash", "after_calls": -1}, "after_calls"),
        ({"service": "lambda", "operation": "Invoke", "error": "Crash", "after_calls": True}, "after_calls"),
        ({"probability": 1}, "probability"),
    ],
)
def test_an_invalid_field_is_named(change: dict[str, Any], field: str) -> None:
    faults = Faults()

    status, answer = _post(faults, **{**THROTTLE, "count": 1, **change})

    assert (status, answer["field"]) == (400, field)
    assert faults.handle("GET") == (200, [])


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, "half", True])
def test_refuses_a_rate_outside_zero_to_one(rate: Any) -> None:
    assert _post(Faults(), **THROTTLE, rate=rate)[1]["field"] == "rate"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_refuses_a_body_that_is_not_an_object(body: bytes) -> None:
    status, answer = Faults().handle("POST", body)

    assert (status, answer["field"]) == (400, "body")


def test_other_methods_are_not_allowed() -> None:
    assert Faults().handle("PATCH")[0] == 405
