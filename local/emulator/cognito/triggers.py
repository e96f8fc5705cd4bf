"""The trigger PreSignUp, which can refuse, confirm or verify a new user.

Source: Amazon Cognito developer guide, "Pre sign-up Lambda trigger" and "Customizing user pool workflows with Lambda triggers".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.emulator.cognito.errors import CognitoError
from local.emulator.cognito.user_pool import UserPool
from local.emulator.cognito.users import User

SIGN_UP = "PreSignUp_SignUp"
BY_ADMINISTRATOR = "PreSignUp_AdminCreateUser"
NO_CLIENT = "CLIENT_ID_NOT_APPLICABLE"


class FunctionFailed(Exception):
    """A trigger's function raised an error. The text is its message."""


class FunctionUnusable(Exception):
    """A trigger's function can't be invoked, or timed out."""


@dataclass(frozen=True)
class SignUpDecision:
    """What the trigger decides about a user that it doesn't refuse."""

    confirms: bool = False
    verifies_email: bool = False


def pre_sign_up(pool: UserPool, source: str, client_id: str, user: User, request: dict[str, Any]) -> SignUpDecision:
    """Ask the trigger. Without one, nothing is refused. Raises CognitoError if the trigger refuses the user."""
    function_arn = pool.settings.triggers.get("PreSignUp")
    if function_arn is None:
        return SignUpDecision()
    validation = {entry["Name"]: entry.get("Value", "") for entry in request.get("ValidationData") or ()}
    event = {
        "version": "1",
        "region": pool.region,
        "userPoolId": pool.pool_id,
        "userName": user.name,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "triggerSource": source,
        "request": {
            "userAttributes": user.attributes,
            "validationData": validation or None,
            **({"clientMetadata": request["ClientMetadata"]} if request.get("ClientMetadata") else {}),
        },
        "response": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    }
    response = _answer(pool, function_arn, event)
    if source != SIGN_UP:
        return SignUpDecision()
    return SignUpDecision(response.get("autoConfirmUser") is True, response.get("autoVerifyEmail") is True)


def _answer(pool: UserPool, function_arn: str, event: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = pool.invoke(function_arn, event)
    except FunctionFailed as error:
        raise CognitoError("UserLambdaValidationException", f"PreSignUp failed with error {error}.") from error
    except FunctionUnusable as error:
        raise CognitoError("UnexpectedLambdaException", f"PreSignUp invocation failed due to error {error}.") from error
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise CognitoError("InvalidLambdaResponseException", "Unrecognizable lambda output")
    return response
