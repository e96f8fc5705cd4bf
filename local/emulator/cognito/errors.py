"""The errors of user pools, with Cognito's codes and messages."""

from __future__ import annotations

WRONG_CREDENTIALS = "Incorrect username or password."
EXPIRED_CODE = "Invalid code provided, please request a code again."
WRONG_CODE = "Invalid verification code provided, please try again."


class CognitoError(Exception):
    """An error that Cognito reports. `code` is the name of the error's shape in botocore's model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def not_authorized(message: str = WRONG_CREDENTIALS) -> CognitoError:
    return CognitoError("NotAuthorizedException", message)


def invalid_parameter(message: str) -> CognitoError:
    return CognitoError("InvalidParameterException", message)


def user_not_found(message: str = "User does not exist.") -> CognitoError:
    return CognitoError("UserNotFoundException", message)


def code_mismatch(message: str = WRONG_CODE) -> CognitoError:
    return CognitoError("CodeMismatchException", message)


def expired_code(message: str = EXPIRED_CODE) -> CognitoError:
    return CognitoError("ExpiredCodeException", message)


def limit_exceeded() -> CognitoError:
    return CognitoError("LimitExceededException", "Attempt limit exceeded, please try after some time.")
