"""Requests that schemathesis makes from the OpenAPI document: no server error, and no answer outside the document.

The number of examples is bounded, and they are the same in every run.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from imagewatch.api.openapi import document

from .running_stack import RunningStack
from .signed_in import THROTTLED, Person, SignedIn

EXAMPLES = 12  # of each operation
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
)
# They would delete the account that asks, and send real tests.
LEFT_OUT = "^(deleteMe|testChannel)$"


@pytest.fixture(scope="module")
def api(stack: RunningStack) -> SignedIn:
    return SignedIn(stack)


@pytest.fixture(scope="module")
def operator(api: SignedIn) -> Person:
    return api.person("schema-operator@example.com", "operators")


schema = schemathesis.openapi.from_dict(document()).exclude(operation_id_regex=LEFT_OUT)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_gets_an_answer_outside_the_document(case: Any, api: SignedIn, operator: Person) -> None:
    base = api.outputs["ApiUrl"]
    headers = {"Authorization": f"Bearer {operator.access_token}"}
    response = case.call(base_url=base, headers=headers)
    while response.status_code == THROTTLED:
        response = case.call(base_url=base, headers=headers)
    case.validate_response(response, checks=CHECKS)
    assert "Traceback" not in json.dumps(response.text)
