"""The connections of the emulator's user pools: a trigger's function must allow the pool, and its errors reach the user."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator.cloudformation import Permission
from local.emulator.cognito.connections import connected_pools
from local.emulator.lambda_.workers import Result

from .cognito_world import World, refusal

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:check"
PRE_SIGN_UP = {"LambdaConfig": {"PreSignUp": FUNCTION}}
PRINCIPAL = "cognito-idp.amazonaws.com"


def connected(world: World, *permissions: Permission, answer: bytes = b"", error: str | None = None) -> list[Any]:
    """Connect the world's pool. Returns the list of the function's events."""
    events: list[Any] = []

    def invoke(name: str, event: bytes) -> Result:
        assert name == FUNCTION
        events.append(json.loads(event))
        return Result(payload=answer or event, error=error, request_id="r")

    deployment: Any = SimpleNamespace(user_pools={world.pool.pool_id: world.pool}, permissions=list(permissions))
    mailbox: Any = SimpleNamespace(deliver=lambda to, subject, text, sender: world.mails.append((sender, to, subject, text)))
    runner: Any = SimpleNamespace(invoke=invoke)
    connected_pools(deployment, runner, mailbox)
    return events


def test_a_function_that_allows_the_pool_is_invoked_and_the_code_is_delivered() -> None:
    world = World(PRE_SIGN_UP)
    events = connected(world, Permission("check", PRINCIPAL, world.pool.arn))
    world.sign_up()
    assert [event["triggerSource"] for event in events] == ["PreSignUp_SignUp"]
    assert world.code


@pytest.mark.parametrize(
    ("name", "principal", "source"),
    [
        ("check", PRINCIPAL, "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_other"),
        ("check", "events.amazonaws.com", None),
        ("other", PRINCIPAL, None),
    ],
)
def test_a_function_that_does_not_allow_the_pool_is_not_invoked(name: str, principal: str, source: str | None) -> None:
    world = World(PRE_SIGN_UP)
    events = connected(world, Permission(name, principal, source))
    code, message = refusal(world.sign_up)
    assert (code, "AccessDeniedException" in message, events) == ("UnexpectedLambdaException", True, [])


def test_the_functions_error_message_reaches_the_user() -> None:
    world = World(PRE_SIGN_UP)
    failure = json.dumps({"errorMessage": "not you", "errorType": "Refused"}).encode()
    connected(world, Permission("check", PRINCIPAL, None), answer=failure, error="Unhandled")
    assert refusal(world.sign_up) == ("UserLambdaValidationException", "PreSignUp failed with error not you.")
