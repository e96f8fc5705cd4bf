"""Account: the signed-in user."""

from __future__ import annotations

import json
from typing import Any

from .conftest import Stack


def test_get_answers_with_the_id_in_the_token(stack: Stack, sample: Any) -> None:
    event = sample("account")
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = "someone"
    answer = stack.handler("Account")(event)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "application/json")
    assert json.loads(answer["body"]) == {"id": "someone"}
