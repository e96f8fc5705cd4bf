"""The API's declarations, its routes in the template, and the OpenAPI document agree."""

from __future__ import annotations

import json
import re
from typing import Any

from openapi_spec_validator import validate

from imagewatch.api.catalogue import OPERATIONS, PUBLIC_OPERATIONS
from imagewatch.api.openapi import document
from tools.openapi import texts
from tools.sam_template import Template

from .conftest import ROOT


def routes(template: Template) -> dict[str, dict[str, Any]]:
    """Route key -> the route in the API's definition."""
    (api,) = (entry["Properties"]["Body"] for entry in template.resources.values() if entry["Type"] == "AWS::ApiGatewayV2::Api")
    return {f"{method.upper()} {path}": route for path, methods in api["paths"].items() for method, route in methods.items()}


def test_the_document_is_valid_and_is_what_the_declarations_generate() -> None:
    validate(document())
    assert [path.name for path, text in texts().items() if path.read_text(encoding="utf-8") != text] == []


def test_every_operation_has_its_route_and_every_route_its_operation(template: Template) -> None:
    default = "X-AMAZON-APIGATEWAY-ANY-METHOD $default"
    assert set(routes(template)) == {operation.route for operation in (*OPERATIONS, *PUBLIC_OPERATIONS)} | {default}


def test_every_route_but_the_public_ones_needs_the_scope_of_access_tokens(template: Template) -> None:
    public = {operation.route for operation in PUBLIC_OPERATIONS}
    for key, route in routes(template).items():
        expected = (
            [{"NONE": []}] if key in public or key.endswith("$default") else [{"AccessToken": ["aws.cognito.signin.user.admin"]}]
        )
        assert route["security"] == expected, key


def test_every_route_leads_to_the_function_that_serves_its_operation(template: Template) -> None:
    for key, route in routes(template).items():
        (name,) = re.findall(r"\$\{Api(\w+)Function\.Arn\}", json.dumps(route["x-amazon-apigateway-integration"]["uri"]))
        source = (ROOT / "functions" / f"api_{name.lower()}.py").read_text(encoding="utf-8")
        for operation in OPERATIONS:
            if operation.route == key:
                assert operation.path.split("/")[1] == name.lower()
                assert f"import {name.lower()} as declared" in source or name == "Me", key


def test_operations_have_different_ids_and_describe_themselves_in_sentences() -> None:
    ids = [operation.operation_id for operation in (*OPERATIONS, *PUBLIC_OPERATIONS)]
    assert len(ids) == len(set(ids))
    for operation in OPERATIONS:
        assert re.fullmatch(r"[A-Z][^.]+", operation.summary), operation.operation_id
        assert operation.answer.description.endswith("."), operation.operation_id
        assert all(parameter.description for parameter in operation.query), operation.operation_id


def test_a_path_parameter_has_the_pattern_that_is_checked() -> None:
    for operation in OPERATIONS:
        assert set(re.findall(r"\{(\w+)\}", operation.path)) == set(operation.ids), operation.operation_id
